"""Deletes all that a service holds of a tenant, a batch a transaction, and says what was deleted.

First the state `deleting`: nobody reads events for the tenant any more, and no transaction of it begins. Entities go with a
tombstone each, by which compaction takes them out of the event log. What was deleted is counted in the transaction that
deletes it, so that a command that was killed goes on where it was.
"""

from collections.abc import Callable
from typing import Any, Final

import orjson
from sqlalchemy import text

from crm_kit.db.connecting import Connection
from crm_kit.db.session import Database
from crm_kit.manifest import Manifest
from crm_kit.outbox import EntityEvents
from crm_kit.outbox.table import OUTBOX
from crm_kit.settings import ServiceSettings
from crm_kit.tenants.errors import NotSettled, TenantRefused
from crm_kit.tenants.holding import state_of, wait_for_earlier
from crm_kit.tenants.owning import OwnedTable, owned_tables, owning, quoted
from crm_kit.tenants.settling import wait_until_told

_BATCH: Final = 1000
_PASSES: Final = 5

_COUNT: Final = text(
    "update tenant_state set counts = jsonb_set(coalesce(counts, '{}'), array[:name],"
    " to_jsonb(coalesce((counts ->> :name)::bigint, 0) + :gone)) where tenant_id = :tenant_id"
)


async def delete_tenant(
    manifest: Manifest,
    settings: ServiceSettings,
    tenant_id: str,
    by_whom: str,
    say: Callable[[str], None],
    *,
    seconds: float,
) -> dict[str, Any]:
    """The certificate. Of a tenant that is deleted it is shown again. Raises TenantRefused, NotSettled."""
    owner_url = settings.require_owner_url(manifest.name)
    async with owning(owner_url, tenant_id, service=manifest.name) as connection:
        state = await state_of(connection, tenant_id)
        if state is None:
            raise TenantRefused("it is written to: make it read-only first (tenant-freeze)")
        if state != "deleted":
            await connection.execute(
                "update tenant_state set state = 'deleting', by_whom = $2, since = now()"
                " where tenant_id = $1 and state = 'read_only'",
                tenant_id,
                by_whom,
            )
            await wait_for_earlier(connection, settings)
            await _delete_all(connection, manifest, owner_url, tenant_id, say, seconds)
        return await certificate(connection, manifest.name, tenant_id)


async def _delete_all(
    connection: Connection,
    manifest: Manifest,
    owner_url: str,
    tenant_id: str,
    say: Callable[[str], None],
    seconds: float,
) -> None:
    owner = Database(owner_url, pool_size=1, settings={"application_name": f"{manifest.name}-tenant"})
    try:
        tables = [table for table in await owned_tables(connection) if table.name != OUTBOX.name]
        await _delete_rows(owner, OUTBOX.name, tenant_id, where="quarantined_at is not null")
        published = {str(events.row.__tablename__): events for events in manifest.publishes if events.topic.actions}
        for number in range(_PASSES):
            gone = 0
            for table in tables:
                gone += await _delete_table(owner, table, published.get(table.name), tenant_id)
            if not gone and number:
                break
            say(f"{gone} rows deleted" if not number else f"{gone} more, which had come meanwhile")
        else:
            raise NotSettled("rows of the tenant go on coming: run the command again")
        await wait_until_told(connection, tenant_id, seconds)
        await connection.execute(
            "update tenant_state set state = 'deleted', imported = null, finished_at = now() where tenant_id = $1",
            tenant_id,
        )
    finally:
        await owner.close()


async def _delete_table(
    owner: Database, table: OwnedTable, events: EntityEvents[Any, Any] | None, tenant_id: str
) -> int:
    if events is None:
        return await _delete_rows(owner, table.name, tenant_id)
    gone = 0
    while batch := await _delete_entities(owner, events, tenant_id):
        gone += batch
    return gone


async def _delete_entities(owner: Database, events: EntityEvents[Any, Any], tenant_id: str) -> int:
    name = str(events.row.__tablename__)
    statement = text(
        f"delete from {quoted(name)} where tenant_id = :tenant_id and id in"  # noqa: S608  # a table of our own
        f" (select id from {quoted(name)} where tenant_id = :tenant_id order by id limit {_BATCH})"
        " returning id, version"
    )
    async with owner.write(None) as session:
        await session.follow_tenant(tenant_id)  # which is to be followed no more, and is turned to all the same
        rows = (await session.execute(statement, {"tenant_id": tenant_id})).all()
        await events.forgotten_all(session, {row.id: row.version + 1 for row in rows})
        await session.execute(_COUNT, {"name": name, "gone": len(rows), "tenant_id": tenant_id})
        return len(rows)


async def _delete_rows(owner: Database, table: str, tenant_id: str, *, where: str = "true") -> int:
    """By their place in the table, since keys differ: what is deleted is locked, and of nobody else."""
    name = quoted(table)
    statement = text(
        f"with gone as (delete from {name} where ctid = any(array("  # noqa: S608  # names from the catalogue
        f"select ctid from {name} where tenant_id = :tenant_id and {where} limit {_BATCH})) and tenant_id = :tenant_id"
        " returning 1) select count(*) from gone"
    )
    gone = 0
    while True:
        async with owner.write(None) as session:
            await session.follow_tenant(tenant_id)
            batch = int(await session.scalar(statement, {"tenant_id": tenant_id}))
            await session.execute(_COUNT, {"name": table, "gone": batch, "tenant_id": tenant_id})
        gone += batch
        if batch < _BATCH:
            return gone


async def certificate(connection: Connection, service: str, tenant_id: str) -> dict[str, Any]:
    """What a service has deleted of a tenant: it stays in `tenant_state`, outside of the tenant."""
    row = await connection.fetchrow("select *, counts::text as told from tenant_state where tenant_id = $1", tenant_id)
    assert row is not None
    counts: dict[str, int] = {name: count for name, count in orjson.loads(row["told"] or "{}").items() if count}
    return {
        "service": service,
        "tenant_id": tenant_id,
        "state": row["state"],
        "by": row["by_whom"],
        "begun_at": row["since"].isoformat(),
        "finished_at": row["finished_at"].isoformat() if row["finished_at"] else None,
        "rows": sum(counts.values()),
        "tables": counts,
    }
