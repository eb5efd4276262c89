"""Time that passes for one tenant of a service: what pools, retention rules, tags, invoices and webhooks look at came sooner."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
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
    async with _as_tenant(app_url, tenant_id) as connection:
        for statement in _SOONER:
            await connection.execute(statement, time)


@asynccontextmanager
async def _as_tenant(app_url: str, tenant_id: str) -> AsyncIterator[asyncpg.Connection]:
    """In one transaction."""
    connection = await asyncpg.connect(app_url)
    try:
        async with connection.transaction():
            await connection.execute("select set_config('app.tenant_id', $1, true)", tenant_id)
            yield connection
    finally:
        await connection.close()


async def let_invoices_wait(app_url: str, tenant_id: str, days: int) -> None:
    """As `let_pass`, of one tenant of pipeline-svc: the days on which its invoices are due, and what looks at them then."""
    async with _as_tenant(app_url, tenant_id) as connection:
        await connection.execute("update invoice set due_at = due_at - $1::integer", days)
        await connection.execute(
            "update timer set due_at = due_at - $1::interval where kind = 'invoice_overdue'", timedelta(days=days)
        )


async def let_deliveries_wait(app_url: str, tenant_id: str, time: timedelta) -> None:
    """As `let_pass`, of the gateway: inbound deliveries of the tenant have been due for longer."""
    async with _as_tenant(app_url, tenant_id) as connection:
        await connection.execute("update inbound_delivery set due_at = due_at - $1::interval", time)


_TIMES_OF_FACTS: Final = (
    ("orders", "first_at"),
    ("orders", "last_at"),
    ("deals", "last_won_at"),
    ("tickets", "last_at"),
)
_TAGS_SOONER: Final = (
    "update fact_copy set at = at - $1::interval",
    """update contact set created_at = created_at - $1::interval, rules_due_at = rules_due_at - $1::interval,
        birthday = (birthday - $1::interval)::date""",
    "update timer set due_at = due_at - $1::interval where kind = 'tag_rules_due'",
)


async def let_days_pass(app_url: str, tenant_id: str, days: int) -> None:
    """As `let_pass`, of what tag rules are told by: contacts, what their orders, deals and tickets come to, and birthdays."""
    time = timedelta(days=days)
    async with _as_tenant(app_url, tenant_id) as connection:
        for statement in _TAGS_SOONER:
            await connection.execute(statement, time)
        for contact_id, text in await connection.fetch("select contact_id, facts::text from contact_facts"):
            facts = json.loads(text)
            for kind, name in _TIMES_OF_FACTS:
                if (moment := facts[kind][name]) is not None:
                    facts[kind][name] = (datetime.fromisoformat(moment) - time).isoformat()
            given = json.dumps(facts)
            await connection.execute(
                "update contact_facts set facts = $2::jsonb where contact_id = $1", contact_id, given
            )


_WEBHOOKS_SOONER: Final = (
    "update webhook_delivery set due_at = due_at - $1::interval where status = 'waiting'",
    """update webhook_progress set due_at = due_at - $1::interval, rest_until = rest_until - $1::interval,
        failing_since = failing_since - $1::interval""",
)


async def let_pass_for_webhooks(app_url: str, tenant_id: str, time: timedelta) -> None:
    """`app_url`: of the gateway's database, as the application. What waits, rests or fails does so for so much longer."""
    async with _as_tenant(app_url, tenant_id) as connection:
        for statement in _WEBHOOKS_SOONER:
            await connection.execute(statement, time)
