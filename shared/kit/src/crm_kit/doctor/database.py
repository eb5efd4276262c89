"""PostgreSQL: reachable, new enough, encrypted, migrated, its roles without power, its tenants apart, its clock ours."""

import ipaddress
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

import asyncpg

from crm_kit import environment as env
from crm_kit.db.connecting import Connection, connect
from crm_kit.db.migrations import OLDEST_SERVER, head_revision
from crm_kit.doctor.findings import Finding, fault, names, ok, warning
from crm_kit.manifest import Manifest
from crm_kit.outbox.gauge import WAITING
from crm_kit.settings import ServiceSettings

_CLOCK_SECONDS: Final = (1.0, 30.0)
_FULL: Final = 0.8
_OUTBOX_SECONDS: Final = 60.0

_UNGUARDED = """
    select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
      join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
     where n.nspname = 'public' and c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity)
       and has_table_privilege($1, c.oid, 'select')
"""
_POWERS = "select rolsuper, rolbypassrls, rolcreatedb, rolcreaterole, rolreplication from pg_roles where rolname = current_user"
_CONNECTIONS = """
    select (select count(*) from pg_stat_activity where backend_type = 'client backend') as used,
           current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
             - current_setting('reserved_connections')::int as most
"""
_LETTERS = """
    select (select count(*) from parked_event) as parked,
           (select count(*) from outbox where quarantined_at is not null) as quarantined
"""


async def look_at_database(manifest: Manifest, settings: ServiceSettings) -> AsyncIterator[Finding]:
    """All findings; without a connection only that there is none."""
    urls = {"database_url": settings.database_url, "system_database_url": settings.system_database_url}
    if settings.owner_database_url:
        urls["owner_database_url"] = settings.owner_database_url
    async for finding in _each_role(manifest, urls, by_transaction=settings.lends_by_transaction):
        yield finding


async def _each_role(manifest: Manifest, urls: Mapping[str, str], *, by_transaction: bool) -> AsyncIterator[Finding]:
    for field, url in urls.items():
        variable = env.variable(manifest.name, field)
        try:
            connection = await connect(url, timeout=5, command_timeout=10)
        except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            yield fault(
                "database",
                f"{variable}: no connection to {_place(url)}: {error or type(error).__name__}. {_advice(error)}",
            )
            continue
        try:
            yield ok("database", f"{variable} reaches {_place(url)}.")
            async for finding in _as_role(connection, field, variable, manifest, by_transaction=by_transaction):
                yield finding
        except asyncpg.UndefinedTableError:
            continue  # it is not migrated, which another finding says
        finally:
            connection.terminate()


async def _as_role(
    connection: Connection, field: str, variable: str, manifest: Manifest, *, by_transaction: bool
) -> AsyncIterator[Finding]:
    if field != "owner_database_url":
        yield await _powers(connection, variable)
    if finding := await _pooler(connection, variable, may_lend=field == "database_url" and by_transaction):
        yield finding
    if field == "database_url":
        for finding in await _server(connection, variable):
            yield finding
        async for finding in _tables(connection, manifest):
            yield finding
    if field == "system_database_url":
        async for finding in _queues(connection, manifest):
            yield finding


async def _powers(connection: Connection, variable: str) -> Finding:
    row = await connection.fetchrow(_POWERS)
    held = [name for name, has in dict(row or {}).items() if has]
    if held:
        return fault(
            "roles",
            f"The role of {variable} has {names(held)}: it sees all tenants or more; use the roles that `provision` makes.",
        )
    return ok("roles", f"The role of {variable} has no power over the server.")


async def _pooler(connection: Connection, variable: str, *, may_lend: bool) -> Finding | None:
    """A pooler tells its clients of processes that PostgreSQL does not have."""
    if may_lend or connection.get_server_pid() == await connection.fetchval("select pg_backend_pid()"):
        return None
    said = f"{variable} leads to a pooler, which must lend whole sessions (pool_mode=session)"
    if variable.endswith(("_SYSTEM_DATABASE_URL", "_OWNER_DATABASE_URL")):
        return warning(
            "pooler", f"{said}: better give PostgreSQL's own address; locks and notifications are the session's."
        )
    return warning("pooler", f"{said}: where it lends them by transaction, set DATABASE_POOLER=transaction.")


async def _server(connection: Connection, variable: str) -> list[Finding]:
    found = []
    version = connection.get_server_version()
    if version.major < OLDEST_SERVER:
        found.append(fault("version", f"PostgreSQL is {version.major}; upgrade it to {OLDEST_SERVER} or newer."))
    else:
        found.append(ok("version", f"PostgreSQL is {version.major}.{version.minor}."))
    found.append(await _encryption(connection, variable))
    found.append(await _clock(connection))
    row = await connection.fetchrow(_CONNECTIONS)
    assert row is not None
    used, most = row["used"], row["most"]
    if used > most * _FULL:
        advice = "lower DATABASE_POOL_SIZE or raise max_connections (docs/scaling.md tells how they add up)"
        found.append(warning("connections", f"{used} of {most} connections are in use: {advice}."))
    else:
        found.append(ok("connections", f"{used} of {most} connections are in use."))
    return found


async def _encryption(connection: Connection, variable: str) -> Finding:
    row = await connection.fetchrow(
        "select host(inet_server_addr()) as address, (select ssl from pg_stat_ssl where pid = pg_backend_pid()) as ssl"
    )
    assert row is not None
    if row["ssl"]:
        return ok("encryption", "The connection to PostgreSQL is encrypted.")
    if row["address"] is None or ipaddress.ip_address(row["address"]).is_loopback:
        return ok("encryption", "PostgreSQL is on this machine.")
    advice = f"add sslmode=verify-full and sslrootcert to {variable}"
    return warning("encryption", f"The connection to PostgreSQL at {row['address']} is in clear: {advice}.")


async def _clock(connection: Connection) -> Finding:
    before = time.time()
    theirs: datetime = await connection.fetchval("select clock_timestamp()")
    apart = theirs.timestamp() - (before + time.time()) / 2
    said = f"PostgreSQL's clock is {abs(apart):.1f} s {'ahead of' if apart > 0 else 'behind'} this machine's"
    if abs(apart) < _CLOCK_SECONDS[0]:
        return ok("clock", f"The clocks agree, at {datetime.now(UTC):%H:%M:%S} UTC.")
    kind = warning if abs(apart) < _CLOCK_SECONDS[1] else fault
    return kind("clock", f"{said}: let both follow a time server (NTP); tokens live a minute only.")


async def _tables(connection: Connection, manifest: Manifest) -> AsyncIterator[Finding]:
    head, advice = head_revision(manifest.migrations), f"run python -m {manifest.package} migrate"
    if not await connection.fetchval("select to_regclass('public.alembic_version') is not null"):
        yield fault("migrations", f"The database is empty: {advice}.")
        return
    at = str(await connection.fetchval("select version_num from alembic_version"))
    if at == head:
        yield ok("migrations", f"The database is at {at}, the newest revision.")
    elif at[:4] > head[:4]:
        yield warning(
            "migrations",
            f"The database is at {at}, of a newer release than this one, which knows {head}: roll forward.",
        )
    else:
        yield fault("migrations", f"The database is at {at}, and this release needs {head}: {advice}.")
    user = await connection.fetchval("select current_user")
    open_to_all = {row[0] for row in await connection.fetch(_UNGUARDED, user)} - set(manifest.system_tables)
    if open_to_all:
        yield fault(
            "tenants",
            f"Row-level security is off on {names(open_to_all)}: tenants see each other; enable and force it.",
        )
    else:
        yield ok("tenants", "Row-level security guards every table that holds tenants' rows.")


async def _queues(connection: Connection, manifest: Manifest) -> AsyncIterator[Finding]:
    outbox, letters = await connection.fetchrow(WAITING), await connection.fetchrow(_LETTERS)
    assert outbox is not None
    assert letters is not None
    waits = f"{outbox['events']} events wait in the outbox, the oldest for {outbox['oldest']:.0f} s"
    if outbox["events"] and outbox["oldest"] > _OUTBOX_SECONDS:
        yield fault(
            "outbox",
            f"{waits}: does python -m {manifest.package} relay run, and what says its log (relay_interrupted)?",
        )
    else:
        yield ok("outbox", f"{waits}." if outbox["events"] else "The outbox is empty.")
    if letters["parked"] or letters["quarantined"]:
        said = f"{letters['parked']} events could not be applied and {letters['quarantined']} not be published"
        yield warning("dead letters", f"{said}: look at /v1/dead-letters, and replay or discard them.")
    else:
        yield ok("dead letters", "There are no dead letters.")


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path.removeprefix('/')} as {parts.username} at {parts.hostname or 'a socket'}:{parts.port or 5432}"


def _advice(error: BaseException) -> str:
    if isinstance(error, asyncpg.InvalidPasswordError | asyncpg.InvalidAuthorizationSpecificationError):
        return "Set the password of the role anew, with provision."
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return "Make the database, with provision."
    return "Is the server there, and may this machine reach it?"
