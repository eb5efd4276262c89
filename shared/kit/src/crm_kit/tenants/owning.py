"""One connection as the owner of the tables, for one tenant: row-level security keeps it from all others' rows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from crm_contracts.ids import TenantId, prefix_of

from crm_kit.db.connecting import SESSION, Connection, connect
from crm_kit.tenants.errors import TenantRefused
from crm_kit.tenants.table import TENANT_STATE

# Of a large table one statement takes long; what waits meanwhile is this command.
_SETTINGS: Final = {
    **SESSION,
    "timezone": "UTC",
    "idle_in_transaction_session_timeout": "10min",
    "statement_timeout": "0",
    "lock_timeout": "30s",
}

_TABLES: Final = """
    select c.relname as name, c.relrowsecurity and c.relforcerowsecurity as is_guarded,
           (select array_agg(a.attname::text order by a.attnum) from pg_attribute a
             where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
               and a.attgenerated = '' and a.attidentity = '') as columns,
           (select array_agg(a.attname::text order by k.place)
              from pg_index i, unnest(i.indkey::int2[]) with ordinality as k(number, place)
              join pg_attribute a on a.attnum = k.number
             where i.indrelid = c.oid and i.indisprimary and a.attrelid = c.oid) as key
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      join pg_attribute t on t.attrelid = c.oid and t.attname = 'tenant_id' and not t.attisdropped
     where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition and c.relname <> $1
     order by c.relname
"""


@dataclass(frozen=True, slots=True)
class OwnedTable:
    """A table that holds tenants' rows. `columns`: those that are not made by PostgreSQL itself; `key`: its primary key."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]


@asynccontextmanager
async def owning(owner_url: str, tenant_id: str, *, service: str) -> AsyncIterator[Connection]:
    """Raises TenantRefused for what is no tenant's id, DatabaseUnreachable."""
    if prefix_of(tenant_id) != TenantId.prefix:
        raise TenantRefused(f"{tenant_id!r} is no tenant's id, which begins with {TenantId.prefix}_")
    named = {**_SETTINGS, "application_name": f"{service}-tenant"}
    connection = await connect(owner_url, timeout=10, command_timeout=None, server_settings=named)
    try:
        await connection.execute("select set_config('app.tenant_id', $1, false)", tenant_id)
        yield connection
    finally:
        await connection.close()


async def owned_tables(connection: Connection) -> list[OwnedTable]:
    """Every table with a column `tenant_id`, by name: a new one cannot be forgotten. Raises TenantRefused for one without
    row-level security, of which all tenants' rows would be taken.
    """
    found = []
    for row in await connection.fetch(_TABLES, TENANT_STATE.name):
        if not row["is_guarded"] or not row["key"]:
            raise TenantRefused(f"the table {row['name']} has no row-level security, or no primary key")
        found.append(OwnedTable(row["name"], tuple(row["columns"]), tuple(row["key"])))
    return found


async def revision(connection: Connection) -> str:
    """The migration that the tables are as."""
    return str(await connection.fetchval("select version_num from alembic_version"))


def quoted(*names: str) -> str:
    """Names from the catalogue, as SQL has them."""
    return ", ".join('"' + name.replace('"', '""') + '"' for name in names)
