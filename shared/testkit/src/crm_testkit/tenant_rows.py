"""What the databases of a stack hold of a tenant, looked at past all services, as a superuser who sees everything."""

from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from crm_local.configuration import PROCESSES
from crm_local.stack import LocalStack

Rows = Mapping[tuple[str, str], list[str]]
"""Rows as JSON, by service and table."""

_TABLES = """
    select c.relname as name,
           exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id') as is_owned,
           coalesce((select array_agg(a.attname::text) from pg_attribute a
                      where a.attrelid = c.oid and a.attidentity <> ''), '{}') as numbered
      from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') order by 1
"""


async def _connect(stack: LocalStack, database: str) -> asyncpg.Connection:
    parts = urlsplit(stack.server_url)
    return await asyncpg.connect(urlunsplit(parts._replace(path=f"/{database}")), server_settings={"timezone": "UTC"})


async def rows_of(stack: LocalStack, tenant_id: str) -> Rows:
    """All rows of the tenant but for what PostgreSQL has numbered, in each table that has any."""
    found: dict[tuple[str, str], list[str]] = {}
    for service in PROCESSES:
        connection = await _connect(stack, service)
        try:
            for table in await connection.fetch(_TABLES):
                if table["is_owned"]:
                    rows = await connection.fetch(
                        f'select (to_jsonb(t) - $2::text[])::text as row from "{table["name"]}" t'  # from the catalogue
                        " where tenant_id = $1 order by 1",
                        tenant_id,
                        table["numbered"],
                    )
                    if rows:
                        found[service, table["name"]] = [row["row"] for row in rows]
        finally:
            await connection.close()
    return found


async def tables_that_name(stack: LocalStack, text: str, *, databases: tuple[str, ...] = PROCESSES) -> list[str]:
    """Every table of these databases in which a row holds a text, in whatever column: as text, in JSON, or in bytes."""
    found = []
    for database in databases:
        connection = await _connect(stack, database)
        try:
            for table in await connection.fetch(_TABLES):
                holds = await connection.fetchval(
                    f'select exists (select from "{table["name"]}" t where strpos(t::text, $1) > 0 or strpos(t::text, $2) > 0)',  # as above
                    text,
                    text.encode().hex(),
                )
                if holds:
                    found.append(f"{database}.{table['name']}")
        finally:
            await connection.close()
    return found
