"""Writes all that a service holds of a tenant into a folder, as of one moment, in memory that does not grow with it."""

import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from crm_kit.db.connecting import Connection
from crm_kit.manifest import Manifest
from crm_kit.settings import ServiceSettings
from crm_kit.tenants.errors import TenantRefused
from crm_kit.tenants.files import (
    DELIMITER,
    FORMAT,
    QUOTE,
    CountingFile,
    ExportManifest,
    FileManifest,
    file_of,
    write_manifest,
)
from crm_kit.tenants.holding import state_of
from crm_kit.tenants.owning import OwnedTable, owned_tables, owning, quoted, revision
from crm_kit.tenants.settling import untold


async def export_tenant(
    manifest: Manifest, settings: ServiceSettings, tenant_id: str, target: Path, say: Callable[[str], None]
) -> ExportManifest:
    """Into the new folder `<target>/<service>`, readable by its owner only. Raises TenantRefused, OSError."""
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = target / manifest.name
    if folder.exists():
        raise TenantRefused(f"{folder} is there already: name a folder that does not exist yet")
    # Beside its place, so that what stands there is complete.
    unfinished = Path(tempfile.mkdtemp(prefix=f".{manifest.name}-", dir=target))
    try:
        async with owning(settings.require_owner_url(manifest.name), tenant_id, service=manifest.name) as connection:
            written = await _export(connection, manifest.name, tenant_id, unfinished)
        write_manifest(unfinished, written)
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    say(f"{sum(each.rows for each in written.tables.values())} rows of {len(written.tables)} tables in {folder}")
    if not written.is_settled:
        say(f"it can be read and not be taken in elsewhere: {written.unsettled}")
    return written


async def _export(connection: Connection, service: str, tenant_id: str, folder: Path) -> ExportManifest:
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        taken_at = await connection.fetchval("select now()")  # the first query takes the snapshot
        unsettled = await _unsettled(connection, tenant_id)
        tables = {
            table.name: await _export_table(connection, table, tenant_id, folder)
            for table in await owned_tables(connection)
        }
        if not any(table.rows for table in tables.values()):
            raise TenantRefused(f"there is nothing of a tenant {tenant_id}")
        return ExportManifest(
            format=FORMAT,
            service=service,
            tenant_id=tenant_id,
            schema_revision=await revision(connection),
            taken_at=datetime.astimezone(taken_at, UTC).isoformat(),
            is_settled=not unsettled,
            unsettled=unsettled,
            tables=tables,
        )


async def _unsettled(connection: Connection, tenant_id: str) -> str:
    """Why what is written could not go on elsewhere; empty where it could."""
    if (state := await state_of(connection, tenant_id)) != "read_only":
        return f"the tenant is {state or 'written to'}"
    waiting, letters = await untold(connection, tenant_id)
    if waiting:
        return f"{waiting} events wait in the outbox"
    return f"{letters} dead letters are neither replayed nor discarded" if letters else ""


async def _export_table(connection: Connection, table: OwnedTable, tenant_id: str, folder: Path) -> FileManifest:
    # A line break in JSON stands between members only: of a `json` column its text comes as it was stored.
    query = (
        f"select translate(row_to_json(t)::text, E'\\n\\r\\t', '   ')"  # noqa: S608  # names from the catalogue
        f" from (select {quoted(*table.columns)} from {quoted(table.name)} where tenant_id = $1"
        f" order by {quoted(*table.key)}) t"
    )
    path = file_of(folder, table.name)
    with path.open("xb") as file:
        counting = CountingFile(file)

        async def take(data: bytes) -> None:
            counting.write(data)

        await connection.copy_from_query(query, tenant_id, output=take, format="csv", delimiter=DELIMITER, quote=QUOTE)
    return counting.told(list(table.columns))
