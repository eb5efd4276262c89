"""Every table of every service is exported, taken in and deleted with its tenant, whatever its columns hold, and no other's rows."""

import base64
import os
import random
import string
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import pytest_asyncio
from crm_contracts.ids import TenantId
from crm_kit.db.embedded import EmbeddedPostgres
from crm_kit.db.migrations import migrate
from crm_kit.db.provision import ServiceUrls
from crm_kit.http.sealing import Sealer
from crm_kit.manifest import Manifest
from crm_kit.resealing import SealedTable
from crm_kit.settings import ServiceSettings
from crm_kit.tenants.deleting import delete_tenant
from crm_kit.tenants.errors import NotSettled, TenantRefused
from crm_kit.tenants.exporting import export_tenant
from crm_kit.tenants.holding import freeze
from crm_kit.tenants.importing import import_tenant
from crm_kit.tenants.owning import owned_tables, owning

_MODULES = ("contacts_svc", "pipeline_svc", "tickets_svc", "campaigns_svc", "gateway")

_NOBODYS = {
    "alembic_version": "of the database",
    "consumer_position": "of a consumer, over all tenants",
    "tenant_state": "what is kept of a tenant when it is gone",
}
"""Tables that hold no tenant's rows, with the reason."""

_UNDER_WAY = {"outbox", "parked_event"}
"""Empty where a tenant may go elsewhere."""

_ROWS = 2

_HARD = '文字 😀 "quoted" \\n \n\t\r \x01\x02 {}\',;'


def sealed_columns(manifest: Manifest) -> list[tuple[SealedTable, str, str]]:
    """Each with its table and its purpose."""
    return [(each, column, purpose) for each in manifest.sealed for column, purpose in each.columns.items()]


@dataclass(frozen=True)
class Installation:
    """One service's database. `rows` tells those of a tenant as a superuser sees them, by table."""

    manifest: Manifest
    settings: ServiceSettings
    connection: asyncpg.Connection

    async def run(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        return await self.connection.fetch(statement, *arguments)

    async def tables(self) -> list[str]:
        found = await self.run(
            "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') order by 1"
        )
        return [row["relname"] for row in found]

    async def rows(self, tenant_id: str) -> dict[str, list[str]]:
        found = {}
        for table in await self.tables():
            if table not in _NOBODYS:
                rows = await self.run(
                    f'select (to_jsonb(t) - $2::text[])::text as row from "{table}" t where tenant_id = $1 order by 1',
                    tenant_id,
                    ["id"] if table in ("timer", "stale_customer") else [],
                )
                found[table] = [row["row"] for row in rows]
        return found

    async def fill(self, tenant_id: str, seed: int) -> None:
        """Rows of the tenant in every table, with a value in every column."""
        chance = random.Random(seed)
        for table in await self.tables():
            if table in _NOBODYS or table in _UNDER_WAY:
                continue
            columns = await self.run(
                "select attname::text as name, format_type(atttypid, atttypmod) as type from pg_attribute"
                " where attrelid = to_regclass($1) and attnum > 0 and not attisdropped"
                " and attgenerated = '' and attidentity = ''",
                f'"{table}"',
            )
            names = ", ".join(f'"{column["name"]}"' for column in columns)
            places = ", ".join(f"${number}::text::{column['type']}" for number, column in enumerate(columns, 1))
            for place in range(_ROWS if await self._has_more_than_the_tenant_as_key(table) else 1):
                numbers = chance.sample(range(1, 15_000), len(columns))
                values = [
                    tenant_id if c["name"] == "tenant_id" else self._value(table, c, chance, 2 * number + place)
                    for c, number in zip(columns, numbers, strict=True)
                ]
                await self.run(f'insert into "{table}" ({names}) values ({places})', *values)
        for each, column, purpose in sealed_columns(self.manifest):
            for row in await self.run(
                f'select "{each.key}" as place from "{each.name}" where tenant_id = $1', tenant_id
            ):
                sealed = Sealer(self.settings.keyring, purpose).seal(f"{column}!".encode(), row["place"])
                await self.run(
                    f'update "{each.name}" set "{column}" = $1 where tenant_id = $2 and "{each.key}" = $3',
                    sealed,
                    tenant_id,
                    row["place"],
                )

    async def _has_more_than_the_tenant_as_key(self, table: str) -> bool:
        found = await self.run(
            "select indnatts from pg_index where indrelid = to_regclass($1) and indisprimary", f'"{table}"'
        )
        return bool(found[0]["indnatts"] > 1)

    def _value(self, table: str, column: asyncpg.Record, chance: random.Random, number: int) -> str:
        token = "".join(chance.choices(string.ascii_lowercase, k=20))
        match str(column["type"]):
            case "text":
                return f"{token} {_HARD}"
            case "bytea":
                return "\\x" + (b"\x00\xff\\" + token.encode()).hex()
            case "jsonb":
                return '{"a": ["token", 12345678901234567890.123, null, true], "文": "\\"\\\\\\n"}'.replace(
                    "token", token
                )
            case "json":
                return '{"b":\n 1.10, "a": "token"}'.replace("token", token)
            case "boolean":
                return "false" if number % 2 else "true"
            case "date":
                return "2026-02-28"
            case "timestamp with time zone":
                return f"2026-03-0{number % 9 + 1} 12:00:00.000001+05:30"
            case "numeric":
                return f"{number}.0100"
            case "double precision":
                return "0.1"
            case "text[]":
                return '{"token","a\\"b,\\\\c",NULL,""}'.replace("token", token)
            case "integer[]":
                return f"{{{number},-1}}"
            case "smallint" | "integer" | "bigint":
                return str(number)
        raise AssertionError(f"{table}.{column['name']}: a value of type {column['type']} for this test")


@pytest.fixture(params=_MODULES)
def manifest(request: pytest.FixtureRequest) -> Manifest:
    found = import_module(f"{request.param}.manifest").MANIFEST
    assert isinstance(found, Manifest)
    return found


@pytest_asyncio.fixture
async def install(
    postgres_database: Callable[[str], ServiceUrls],
    postgres_server: EmbeddedPostgres,
    event_log_database: Callable[[], str],
) -> AsyncIterator["Install"]:
    async with AsyncExitStack() as stack:

        async def made(manifest: Manifest) -> Installation:
            urls = postgres_database(manifest.name)
            await migrate(manifest.migrations, manifest.metadata, urls.owner)
            settings = ServiceSettings(
                database_url=urls.app,
                system_database_url=urls.system,
                owner_database_url=urls.owner,
                event_log_url=event_log_database(),
                environment="development",
                secret=base64.b64encode(os.urandom(32)).decode(),
            )
            server = urlsplit(postgres_server.superuser_url())
            url = urlunsplit(server._replace(path=urlsplit(urls.owner).path))
            connection = await asyncpg.connect(url, server_settings={"timezone": "UTC"})
            stack.push_async_callback(connection.close)
            return Installation(manifest, settings, connection)

        yield made


Install = Callable[[Manifest], Awaitable[Installation]]


async def test_every_table_belongs_to_tenants_or_says_why_not(manifest: Manifest, install: Install) -> None:
    here = await install(manifest)
    async with owning(here.settings.require_owner_url("x"), TenantId.new(), service=manifest.name) as connection:
        owned = {table.name for table in await owned_tables(connection)}
    assert owned == set(await here.tables()) - set(_NOBODYS)


async def test_every_row_goes_along_as_it_is_and_is_deleted_and_the_neighbours_stay(
    manifest: Manifest, install: Install, tmp_path: Path
) -> None:
    here, there = await install(manifest), await install(manifest)
    tenant, neighbour = TenantId.new(), TenantId.new()
    await here.fill(tenant, 1)
    await here.fill(neighbour, 2)
    await there.fill(neighbour, 2)
    held, beside, beside_there = await here.rows(tenant), await here.rows(neighbour), await there.rows(neighbour)
    assert {table for table, rows in held.items() if not rows} == _UNDER_WAY

    await freeze(manifest.name, here.settings, tenant, "ops")
    written = await export_tenant(manifest, here.settings, tenant, tmp_path, print)
    assert written.is_settled
    await import_tenant(
        manifest,
        there.settings,
        tmp_path,
        "ops",
        print,
        source_secret=here.settings.secret if manifest.sealed else None,
    )
    arrived = await there.rows(tenant)
    sealed = {each.name for each in manifest.sealed}
    assert {**arrived, **{table: [] for table in sealed}} == {**held, **{table: [] for table in sealed}}
    await _opens(there, tenant)
    assert await there.rows(neighbour) == beside_there

    certificate = await _delete(here, tenant)
    assert not any((await here.rows(tenant)).values())
    assert await here.rows(neighbour) == beside
    told = {table: len(rows) for table, rows in held.items() if rows}
    assert certificate["tables"] == told
    with pytest.raises(TenantRefused, match="deleted"):
        await import_tenant(manifest, here.settings, tmp_path, "ops", print, source_secret=None)


async def _opens(there: Installation, tenant: str) -> None:
    """Everything sealed opens here, without the other installation's secret."""
    for each, column, purpose in sealed_columns(there.manifest):
        rows = await there.run(
            f'select "{each.key}" as place, "{column}" as sealed from "{each.name}" where tenant_id = $1',
            tenant,
        )
        assert len(rows) == (1 if each.key == "tenant_id" else _ROWS)
        for row in rows:
            opened = Sealer(there.settings.keyring, purpose).unseal(row["sealed"], row["place"])
            assert opened == f"{column}!".encode()


async def _delete(here: Installation, tenant: str) -> dict[str, Any]:
    """No relay runs: the tombstones wait, one for each entity, and the command says so and goes on when they are gone."""
    entities = [str(events.row.__tablename__) for events in here.manifest.publishes if events.topic.actions]
    with pytest.raises(NotSettled, match=f"{_ROWS * len(entities)} events wait"):
        await delete_tenant(here.manifest, here.settings, tenant, "ops", print, seconds=0.05)
    gone = await here.run("delete from outbox where tenant_id = $1 returning payload", tenant)
    assert [row["payload"] for row in gone] == [None] * (_ROWS * len(entities))
    return await delete_tenant(here.manifest, here.settings, tenant, "ops", print, seconds=5)
