"""Databases and roles of the services: each has its own, and none can open another's."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
_POWERLESS = "login nosuperuser nobypassrls nocreatedb nocreaterole noreplication"
# Under row-level security an index serves only operators that are marked leakproof, and those of arrays and JSON are not: a
# look-up in a list of texts would read the whole table. On text, and in JSON, they compare and nothing else: no error of
# theirs shows a value. Only a superuser may mark them; without it such look-ups are right, and slow.
_LEAKPROOF = (
    "alter function pg_catalog.arraycontains(anyarray, anyarray) leakproof",
    "alter function pg_catalog.arrayoverlap(anyarray, anyarray) leakproof",
    "alter function pg_catalog.jsonb_contains(jsonb, jsonb) leakproof",
)
# Serialises two provisioning runs on one server; any constant does.
_LOCK = 7_305_412_268


@dataclass(frozen=True, slots=True)
class ServiceUrls:
    """The three ways into one service's database (plain `postgresql://` URLs that hold passwords)."""

    app: str
    system: str
    owner: str


@dataclass(frozen=True, slots=True)
class ServiceDatabase:
    """Database `name`, its login roles `name`_owner (schema, migrations), `name`_app and `name`_system."""

    name: str
    owner_password: str
    app_password: str
    system_password: str

    @property
    def owner(self) -> str:
        """The role that owns the database and its schema."""
        return f"{self.name}_owner"

    @property
    def passwords(self) -> dict[str, str]:
        """Password by role."""
        return {
            self.owner: self.owner_password,
            f"{self.name}_app": self.app_password,
            f"{self.name}_system": self.system_password,
        }

    @property
    def grants(self) -> tuple[str, ...]:
        """Statements run in the database itself; the application may use tables the owner makes later."""
        owner, app, system = self.owner, f"{self.name}_app", f"{self.name}_system"
        return (
            f"alter schema public owner to {owner}",
            "revoke all on schema public from public",
            f"grant usage on schema public to {app}, {system}",
            f"alter default privileges for role {owner} in schema public"
            f" grant select, insert, update, delete on tables to {app}",
            f"alter default privileges for role {owner} in schema public grant usage on sequences to {app}",
            *_LEAKPROOF,
        )

    def urls(self, server_url: str) -> ServiceUrls:
        """The URLs of the three roles on the server that `server_url` names."""
        owner, app, system = (role_url(server_url, self.name, *entry) for entry in self.passwords.items())
        return ServiceUrls(app=app, system=system, owner=owner)


@dataclass(frozen=True, slots=True)
class EventLogDatabase:
    """The embedded event log's database, with one role of the same name that owns it."""

    password: str
    name: str = "event_log"

    @property
    def owner(self) -> str:
        """The role that owns the database and its schema."""
        return self.name

    @property
    def passwords(self) -> dict[str, str]:
        """Password by role."""
        return {self.name: self.password}

    @property
    def grants(self) -> tuple[str, ...]:
        """Statements run in the database itself."""
        return (f"alter schema public owner to {self.name}", "revoke all on schema public from public")

    def url(self, server_url: str) -> str:
        """The role's URL on the server that `server_url` names."""
        return role_url(server_url, self.name, self.name, self.password)


def role_url(server_url: str, database: str, role: str, password: str) -> str:
    """`server_url` with another database, role and password; host, port and options stay."""
    parts = urlsplit(server_url)
    host = parts.netloc.rpartition("@")[2]
    netloc = f"{quote(role, safe='')}:{quote(password, safe='')}@{host}"
    return urlunsplit(parts._replace(netloc=netloc, path=f"/{quote(database, safe='')}"))


async def provision(superuser_url: str, *databases: ServiceDatabase | EventLogDatabase) -> None:
    """Create what is missing and set passwords and rights; run again it changes nothing else.

    Raises `ValueError` for a name that is not a plain lower-case identifier, and asyncpg's errors.
    """
    for database in databases:
        if not _NAME.fullmatch(database.name):
            raise ValueError(f"{database.name!r} is not a plain lower-case database name")
    connection = await asyncpg.connect(superuser_url)
    try:
        await connection.execute(f"select pg_advisory_lock({_LOCK})")
        present = {row[0] for row in await connection.fetch("select datname from pg_database")}
        # Nobody but the superuser has business in the maintenance databases.
        await connection.execute("revoke connect on database postgres from public")
        await connection.execute("revoke connect on database template1 from public")
        for database in databases:
            await _provision_roles(connection, database)
            if database.name not in present:
                await connection.execute(f"create database {database.name} owner {database.owner}")
            await _provision_access(connection, database)
        await asyncio.gather(*(_run(superuser_url, database.name, database.grants) for database in databases))
    finally:
        await connection.close()


async def _provision_roles(
    connection: "asyncpg.Connection[asyncpg.Record]", database: ServiceDatabase | EventLogDatabase
) -> None:
    for role, password in database.passwords.items():
        exists = await connection.fetchval("select true from pg_roles where rolname = $1", role)
        verb = "alter" if exists else "create"
        # CREATE ROLE takes no parameters; the server quotes the password.
        literal = await connection.fetchval("select quote_literal($1::text)", password)
        await connection.execute(f"{verb} role {role} with {_POWERLESS} password {literal}")


async def _provision_access(
    connection: "asyncpg.Connection[asyncpg.Record]", database: ServiceDatabase | EventLogDatabase
) -> None:
    await connection.execute(f"revoke all on database {database.name} from public")
    await connection.execute(f"grant connect on database {database.name} to {', '.join(database.passwords)}")


async def _run(superuser_url: str, name: str, statements: Sequence[str]) -> None:
    parts = urlsplit(superuser_url)
    connection = await asyncpg.connect(urlunsplit(parts._replace(path=f"/{name}")))
    try:
        await connection.execute(";\n".join(statements))
    finally:
        await connection.close()
