"""Makes a tenant read-only, and writable again.

A transaction that writes asks for the tenant's state as it begins (`crm_kit.tenants.table`). One that began just before may go
on; so whoever changes the state waits until all that began before have ended. From then on nothing is written but by what
follows from writes that were acknowledged.
"""

import asyncio
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote, urlsplit

from crm_kit.db.connecting import Connection
from crm_kit.settings import ServiceSettings
from crm_kit.tenants.errors import NotSettled, TenantRefused
from crm_kit.tenants.owning import owning
from crm_kit.tenants.table import TenantState

_PAUSE_SECONDS: Final = 0.05
_LONGEST_SECONDS: Final = 60.0
"""A request's statement ends after 30 s, a transaction that nobody goes on with after 20."""

# Each transaction holds a lock on its own virtual id from before it takes its first snapshot.
_RUNNING: Final = """
    select l.virtualxid from pg_locks l join pg_stat_activity a on a.pid = l.pid
     where l.locktype = 'virtualxid' and a.datname = current_database() and a.usename = any($1::text[])
"""
_STATE: Final = "select state, since, by_whom, imported, counts, finished_at from tenant_state where tenant_id = $1"


async def state_of(connection: Connection, tenant_id: str) -> TenantState | None:
    """None for a tenant that is as usual."""
    row = await connection.fetchrow(_STATE, tenant_id)
    found: TenantState | None = row["state"] if row is not None else None
    return found


async def freeze(service: str, settings: ServiceSettings, tenant_id: str, by_whom: str) -> None:
    """From its return on nobody writes for the tenant. Again it does nothing. Raises TenantRefused, NotSettled."""
    async with owning(settings.require_owner_url(service), tenant_id, service=service) as connection:
        await connection.execute(
            "insert into tenant_state (tenant_id, state, by_whom) values ($1, 'read_only', $2) on conflict do nothing",
            tenant_id,
            by_whom,
        )
        state = await state_of(connection, tenant_id)
        if state != "read_only":
            raise TenantRefused(f"it is {state}: there is nothing to hold")
        await wait_for_earlier(connection, settings)


async def thaw(service: str, settings: ServiceSettings, tenant_id: str) -> None:
    """Lets writes in. Of a tenant that is as usual it changes nothing. Raises TenantRefused for one that is deleted."""
    async with owning(settings.require_owner_url(service), tenant_id, service=service) as connection:
        await connection.execute(
            "delete from tenant_state where tenant_id = $1 and state = 'read_only'",
            tenant_id,
        )
        if (state := await state_of(connection, tenant_id)) is not None:
            raise TenantRefused(f"it is {state}, for good")


async def wait_for_earlier(connection: Connection, settings: ServiceSettings) -> None:
    """Until every transaction of the service's that runs now has ended. Raises NotSettled after a minute."""
    roles = [_user(settings.database_url), _user(settings.system_database_url)]
    earlier = await _running(connection, roles)
    loop = asyncio.get_running_loop()
    end = loop.time() + _LONGEST_SECONDS
    while earlier := earlier & await _running(connection, roles):
        if loop.time() > end:
            raise NotSettled(f"{len(earlier)} transactions that began before have not ended: run the command again")
        await asyncio.sleep(_PAUSE_SECONDS)


async def _running(connection: Connection, roles: Sequence[str]) -> set[str]:
    return {row[0] for row in await connection.fetch(_RUNNING, list(roles))}


def _user(url: str) -> str:
    return unquote(urlsplit(url).username or "")
