"""Waits until what was written for a tenant has been told, and what this service was told has been applied."""

import asyncio
from typing import Final

from crm_kit.bus import EventLogError, open_event_log
from crm_kit.db.connecting import Connection
from crm_kit.db.session import Database
from crm_kit.inbox.passing import ConsumerBehind, Passing
from crm_kit.manifest import Manifest
from crm_kit.settings import ServiceSettings
from crm_kit.tenants.errors import NotSettled
from crm_kit.tenants.owning import owning

_PAUSE_SECONDS: Final = 0.1

_UNTOLD: Final = """
    select (select count(*) from outbox where tenant_id = $1 and quarantined_at is null) as waiting,
           (select count(*) from outbox where tenant_id = $1 and quarantined_at is not null)
             + (select count(*) from parked_event where tenant_id = $1) as letters
"""
_MARK: Final = """
    select coalesce((select sequence from audit_head where tenant_id = $1), 0)
           + (select count(*) from audit_unsealed where tenant_id = $1)
"""
"""Rises with every change, sealed or not: each is told in the audit log, in its transaction."""


async def settle(manifest: Manifest, settings: ServiceSettings, tenant_id: str, seconds: float) -> int:
    """The number of changes that there have been. Whoever settles all services and finds in each the number of the round before
    knows that nothing is under way among them any more. Raises NotSettled.
    """
    async with owning(settings.require_owner_url(manifest.name), tenant_id, service=manifest.name) as connection:
        await wait_until_told(connection, tenant_id, seconds)
        await _wait_until_applied(manifest, settings, seconds)
        await wait_until_told(connection, tenant_id, seconds)
        return int(await connection.fetchval(_MARK, tenant_id))


async def wait_until_told(connection: Connection, tenant_id: str, seconds: float) -> None:
    """Until nothing of the tenant waits in the outbox. Raises NotSettled."""
    try:
        async with asyncio.timeout(seconds):
            while waiting := (await untold(connection, tenant_id))[0]:
                await asyncio.sleep(_PAUSE_SECONDS)
    except TimeoutError:
        raise NotSettled(f"{waiting} events wait in the outbox: does its relay run?") from None


async def untold(connection: Connection, tenant_id: str) -> tuple[int, int]:
    """How many events wait in the outbox, and how many dead letters there are."""
    row = await connection.fetchrow(_UNTOLD, tenant_id)
    assert row is not None
    return row["waiting"], row["letters"]


async def _wait_until_applied(manifest: Manifest, settings: ServiceSettings, seconds: float) -> None:
    if not manifest.consumers:
        return
    database, log = Database(settings.database_url, pool_size=1), open_event_log(settings)
    try:
        await log.start()
        for consumer in manifest.consumers:
            await Passing(consumer, database, log, seconds).wait()
    except (ConsumerBehind, EventLogError) as error:
        raise NotSettled(str(error)) from error
    finally:
        await log.close()
        await database.close()
