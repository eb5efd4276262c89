"""Takes an export of a tenant in: rows exactly as they were, in one transaction, and then their states into the event log.

No row is created by a use case, so that ids, versions, moments, histories and audit chains stay and nobody hears of a creation.
The log of this installation knows nothing of the tenant: each entity is published once more as it is (ADR 0013), which consumers
that have its version ignore, and webhooks too, so that a projection can be rebuilt here as anywhere. That is a step of its own, once
all services have their rows: a consumer that was told before would make rows of its own.
"""

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import asyncpg
from sqlalchemy import select

from crm_kit.db.connecting import Connection
from crm_kit.db.models import columns
from crm_kit.db.session import Database
from crm_kit.manifest import Manifest
from crm_kit.outbox import EntityEvents
from crm_kit.settings import ServiceSettings
from crm_kit.tenants.errors import TenantRefused
from crm_kit.tenants.files import DELIMITER, QUOTE, ExportManifest, FileManifest, chunks, file_of, read_manifest
from crm_kit.tenants.holding import state_of
from crm_kit.tenants.owning import OwnedTable, owned_tables, owning, quoted, revision
from crm_kit.tenants.sealed import seal_anew

_PAGE: Final = 200


async def import_tenant(
    manifest: Manifest,
    settings: ServiceSettings,
    source: Path,
    by_whom: str,
    say: Callable[[str], None],
    *,
    source_secret: str | None,
) -> str:
    """The tenant of `<source>/<service>`, whose rows are then here, read-only. `restate_tenant` is to follow.

    Raises TenantRefused where it does not fit, or the tenant is here already.
    """
    folder = source / manifest.name
    told = read_manifest(folder)
    if told.service != manifest.name:
        raise TenantRefused(f"{folder} is an export of {told.service}")
    if not told.is_settled:
        raise TenantRefused(f"it was written while something was under way ({told.unsettled}): freeze and export again")
    owner_url = settings.require_owner_url(manifest.name)
    async with owning(owner_url, told.tenant_id, service=manifest.name) as connection:
        tables = await owned_tables(connection)
        _require_same_tables(tables, told, await revision(connection))
        if await _is_taken_in(connection, told):
            say("its rows are here already")
        else:
            rows = await _take_in(connection, manifest, settings, tables, told, folder, by_whom, source_secret)
            say(f"{rows} rows of {len(tables)} tables taken in")
    return told.tenant_id


def _require_same_tables(tables: list[OwnedTable], told: ExportManifest, here: str) -> None:
    if told.schema_revision != here:
        raise TenantRefused(
            f"its tables are of {told.schema_revision}, and these of {here}: bring both installations to one release"
        )
    theirs: Mapping[str, FileManifest] = told.tables
    if {table.name: list(table.columns) for table in tables} != {name: one.columns for name, one in theirs.items()}:
        raise TenantRefused("its tables have other columns than these, though they are of the same revision")


async def _is_taken_in(connection: Connection, told: ExportManifest) -> bool:
    """Whether this very export was. Raises TenantRefused where the tenant is here for another reason."""
    state = await state_of(connection, told.tenant_id)
    if state is None:
        return False
    imported = await connection.fetchval("select imported from tenant_state where tenant_id = $1", told.tenant_id)
    if state != "read_only" or imported != told.digest:
        raise TenantRefused(f"the tenant is here already, and {state}")
    return True


async def _take_in(
    connection: Connection,
    manifest: Manifest,
    settings: ServiceSettings,
    tables: list[OwnedTable],
    told: ExportManifest,
    folder: Path,
    by_whom: str,
    source_secret: str | None,
) -> int:
    async with connection.transaction():
        await connection.execute(
            "insert into tenant_state (tenant_id, state, by_whom, imported) values ($1, 'read_only', $2, $3)",
            told.tenant_id,
            by_whom,
            told.digest,
        )
        await connection.execute("create temporary table incoming (line text) on commit drop")
        rows = 0
        for table in tables:
            rows += await _fill(connection, table, told, folder)
        await seal_anew(connection, manifest.sealed, told.tenant_id, settings.keyring, source_secret)
    return rows


async def _fill(connection: Connection, table: OwnedTable, told: ExportManifest, folder: Path) -> int:
    """Rows of another tenant PostgreSQL refuses: row-level security holds for whoever owns the table."""
    name, names = quoted(table.name), quoted(*table.columns)
    if await connection.fetchval(f"select exists (select from {name} where tenant_id = $1)", told.tenant_id):  # noqa: S608  # from the catalogue
        raise TenantRefused(f"the tenant is here already: {table.name} has rows of it")
    written = 0
    try:
        for chunk in chunks(file_of(folder, table.name)):
            await connection.copy_to_table(
                "incoming", source=io.BytesIO(chunk), format="csv", delimiter=DELIMITER, quote=QUOTE
            )
            status = await connection.execute(
                f"insert into {name} ({names}) select {names} from incoming,"  # noqa: S608  # as above
                f" json_populate_record(null::{name}, line::json)"
            )
            await connection.execute("truncate incoming")
            written += int(status.rpartition(" ")[2])
    except asyncpg.UniqueViolationError as error:
        raise TenantRefused(
            f"{table.name}: {error.constraint_name} is taken by another tenant of this installation"
        ) from error
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.InsufficientPrivilegeError) as error:
        raise TenantRefused(f"{table.name}.ndjson cannot be taken in: {error}") from error
    if written != told.tables[table.name].rows:
        raise TenantRefused(f"{table.name}.ndjson has {written} rows, and its manifest {told.tables[table.name].rows}")
    return written


async def restate_tenant(manifest: Manifest, settings: ServiceSettings, tenant_id: str) -> int:
    """Publishes every entity of the tenant once more, under its version; how many. It may be repeated."""
    owner_url = settings.require_owner_url(manifest.name)
    owner = Database(owner_url, pool_size=1, settings={"application_name": f"{manifest.name}-tenant"})
    try:
        return sum([await _restate_all(owner, tenant_id, events) for events in manifest.publishes])
    finally:
        await owner.close()


async def _restate_all(owner: Database, tenant_id: str, events: EntityEvents[Any, Any]) -> int:
    """A transaction a page, so that none is long and the relay goes along."""
    after, restated, c = "", 0, columns(events.row)
    while events.topic.actions:
        async with owner.write(tenant_id, always=True) as session:
            page = select(c.id).where(c.tenant_id == tenant_id, c.id > after).order_by(c.id).limit(_PAGE)
            ids = list((await session.scalars(page)).all())
            if not ids:
                break
            restated += await events.restated_all(session, ids)
        after = ids[-1]
    return restated
