"""Time that passes for one tenant of contacts-svc: all that pools and retention rules look at came so much sooner."""

from datetime import timedelta
from typing import Final

import asyncpg

_SOONER: Final = (
    "update activity set at = at - $1::interval, created_at = created_at - $1::interval",
    "update consent set at = at - $1::interval",
    "update last_activity set last_at = last_at - $1::interval",
    "update legal_hold set until = until - $1::interval",
    "update retention_rule set effective_at = effective_at - $1::interval",
    "update retention_run set started_at = started_at - $1::interval",
    "update pool_claim set at = at - $1::interval",
    """update contact set created_at = created_at - $1::interval, updated_at = updated_at - $1::interval,
        archived_at = archived_at - $1::interval""",
    """update contact set returns_at = returns_at - $1::interval, pool_history = (
         select coalesce(jsonb_agg(jsonb_set(move, '{at}', to_jsonb(to_char(
             ((move->>'at')::timestamptz - $1::interval) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')))
             order by place), '[]')
           from jsonb_array_elements(pool_history) with ordinality as e(move, place))
        where pool_id is not null""",
    "update timer set due_at = due_at - $1::interval where kind in ('pool_return', 'retention_rule')",
)


async def let_pass(app_url: str, tenant_id: str, time: timedelta) -> None:
    """`app_url`: of the service's database, as the application."""
    connection = await asyncpg.connect(app_url)
    try:
        async with connection.transaction():
            await connection.execute("select set_config('app.tenant_id', $1, true)", tenant_id)
            for statement in _SOONER:
                await connection.execute(statement, time)
    finally:
        await connection.close()
