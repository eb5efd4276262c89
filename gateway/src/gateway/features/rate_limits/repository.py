"""Every statement on rate_bucket; for the system role, which settles the quotas of all tenants at once."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from crm_kit.db.session import WriteSession
from crm_kit.db.sql import Sql

# In one order, so that two processes which settle the same subjects do not wait for one another. A process whose clock
# reading came first may be second to write.
_SETTLE: Final = Sql(
    "insert into rate_bucket as b (tenant_id, subject, level, at)"
    " select s.tenant_id, s.subject, cast(:quota as float8) - s.spent, clock_timestamp()"
    " from unnest(cast(:tenants as text[]), cast(:subjects as text[]), cast(:spent as float8[]))"
    " as s (tenant_id, subject, spent)"
    # Of a tenant that is being deleted nothing is written, whatever was spent just before.
    " where not exists (select from tenant_state t where t.tenant_id = s.tenant_id and t.state <> 'read_only')"
    " order by 1, 2"
    " on conflict (tenant_id, subject) do update set at = greatest(b.at, excluded.at), level ="
    " greatest(-cast(:quota as float8), least(cast(:quota as float8), b.level"
    " + greatest(0, extract(epoch from excluded.at - b.at)) * cast(:rate as float8))"
    " - (cast(:quota as float8) - excluded.level))"
    " returning tenant_id, subject, level"
)
_FORGET: Final = Sql("delete from rate_bucket where at < clock_timestamp() - cast(:window as interval)")


async def settle(
    session: WriteSession, spent: Mapping[tuple[str, str], int], quota: int, rate: float
) -> list[tuple[str, str, float]]:
    """Tenant, subject and what is left to all processes, which is less than nothing where they overdrew."""
    values = {
        "tenants": [tenant_id for tenant_id, _ in spent],
        "subjects": [subject for _, subject in spent],
        "spent": [float(count) for count in spent.values()],
        "quota": float(quota),
        "rate": rate,
    }
    return [(row["tenant_id"], row["subject"], row["level"]) for row in await session.fetch(_SETTLE, values)]


async def forget(session: WriteSession, window: timedelta) -> None:
    """Who has not asked for a whole window has their whole quota, as if they never had."""
    await session.fetch(_FORGET, {"window": window})
