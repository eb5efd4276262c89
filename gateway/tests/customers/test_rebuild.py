"""`python -m gateway rebuild`: the views made anew out of the log, while everything goes on."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import asyncpg
import pytest
from crm_kit.db.migrations import differences
from crm_kit.db.session import Database
from crm_testkit.customer_world import World, content, moment, money, stay
from crm_testkit.kafka_broker import RealKafka
from gateway.base import METADATA
from gateway.features.customers.compose import Facts, compose
from sqlalchemy import text

pytestmark = pytest.mark.long

Stack = Any
OwnStack = Callable[..., AbstractAsyncContextManager[Stack]]
Tenant = Any
"""The fixtures of conftest.py, whose classes cannot be imported from there."""

TABLES = [
    "entity",
    "timeline_entry",
    "customer_view",
    "customer_key",
    "stale_customer",
    "customer_search",
    "search_number",
]


def expected(world: World) -> dict[str, dict[str, Any]]:
    told: dict[str, Any] = {one: world.facts(one) for one in world.customers()}
    return {one: compose(Facts(**facts)) for one, facts in told.items()}


def a_company(world: World, dice: random.Random, contacts: int = 12) -> None:
    account = world.create("account", name="云帆")
    for number in range(contacts):
        emails = [{"address": f"c{number}@example.com", "primary": True, "verified": False, "label": None}]
        world.create("contact", account_id=dice.choice([account["id"], None]), emails=emails)
    for _ in range(contacts * 4):
        something_happens(world, dice)


def something_happens(world: World, dice: random.Random) -> None:
    contacts = [entity["id"] for entity in world.all_of("contact")]
    whose, at = {"contact_id": dice.choice(contacts)}, moment(dice.randrange(1000))
    match dice.randrange(7):
        case 0:
            world.create("deal", **whose, amount=money("12.50"), stage_history=[stay("open", at)])
        case 1:
            world.create("ticket", **whose)
        case 2:
            world.create("order", **whose, placed_at=at)
        case 3:
            world.create("contact", full_name="新客户")
        case 4 if deals := world.all_of("deal"):
            world.delete(dice.choice(deals)["id"])
        case _:
            world.update(whose["contact_id"], title=f"经理 {dice.random()}")


async def started(stack: Stack, *arguments: str) -> asyncio.subprocess.Process:
    settings = stack.gateway.runtime.settings.model_dump(mode="json", exclude_none=True)
    environment = {name.upper(): str(value) for name, value in settings.items()}
    environment |= {f"GATEWAY_{name}": url for name, url in environment.items() if name.endswith("DATABASE_URL")}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "rebuild", *arguments,
        env={**os.environ, **environment}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip


async def rebuild(stack: Stack, *arguments: str) -> tuple[int | None, str]:
    process = await started(stack, *arguments)
    output, _ = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode, output.decode()


async def rows(stack: Stack, tenant_id: str, table: str = "customer_view") -> dict[str, str]:
    """Every byte of the tenant's rows, as the application sees them."""
    async with stack.gateway.runtime.database.read(tenant_id) as session:
        found = await session.execute(text(f"select id, cast(t as text) as bytes from public.{table} t"))
        return {row.id: row.bytes for row in found}


async def change(stack: Stack, tenant_id: str, statement: str, **values: Any) -> None:
    async with stack.gateway.runtime.database.write(tenant_id) as session:
        await session.execute(text(statement), values)


async def view(tenant: Tenant, customer_id: str) -> Any:
    return await tenant.client.get(f"/v1/customers/{customer_id}")


async def settled(tenant: Tenant, world: World) -> None:
    """Until every view says what the world says. Raises AssertionError."""
    for customer_id, wanted in expected(world).items():
        for _ in range(500):
            answer = await view(tenant, customer_id)
            if answer.status_code == 200 and content(answer.json()) == wanted:
                break
            await asyncio.sleep(0.02)
        assert answer.status_code == 200
        assert content(answer.json()) == wanted


async def as_owner(stack: Stack, statement: str, *arguments: Any) -> list[Any]:
    connection = await asyncpg.connect(stack.gateway.urls.owner)
    try:
        return await connection.fetch(statement, *arguments)
    finally:
        await connection.close()


async def leftovers(stack: Stack) -> list[Any]:
    return await as_owner(
        stack,
        "select nspname as name from pg_namespace where nspname = 'rebuild'"
        " union all select policyname from pg_policies where policyname = 'rebuild'"
        " union all select consumer from consumer_position where consumer like '%rebuild'",
    )


@asynccontextmanager
async def versions_watched(tenant: Tenant, world: World) -> AsyncIterator[dict[str, int]]:
    """Reads views all the time: one that was there stays, and its version never falls."""
    seen: dict[str, int] = {}

    async def watch() -> None:
        while True:
            for customer_id in world.customers():
                answer = await view(tenant, customer_id)
                if customer_id in seen:
                    assert answer.status_code == 200, answer.text
                if answer.status_code == 200:
                    assert answer.json()["version"] >= seen.get(customer_id, 0)
                    seen[customer_id] = answer.json()["version"]
            await asyncio.sleep(0.01)

    watching = asyncio.create_task(watch())
    try:
        yield seen
    finally:
        watching.cancel()
        [outcome] = await asyncio.gather(watching, return_exceptions=True)
        assert isinstance(outcome, asyncio.CancelledError), outcome


@pytest.mark.parametrize("bus", ["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
async def test_a_rebuild_while_writers_go_on_misses_nothing(
    own_stack: OwnStack, bus: str, request: pytest.FixtureRequest
) -> None:
    settings = {}
    if bus == "kafka":
        broker = request.getfixturevalue("kafka_broker")
        assert isinstance(broker, RealKafka)
        settings = {"bus": "kafka", "kafka_bootstrap_servers": broker.bootstrap_servers}
    dice = random.Random(3)
    async with own_stack(**settings) as stack:
        tenant, world = stack.tenant()
        a_company(world, dice)
        await stack.publish(world)
        await settled(tenant, world)
        async with versions_watched(tenant, world) as seen:
            rebuilding = asyncio.create_task(rebuild(stack))
            while not rebuilding.done():
                something_happens(world, dice)
                await stack.publish(world)
                await asyncio.sleep(0.02)
            code, output = await rebuilding
            assert code == 0, output
            assert "switched" in output
            for _ in range(10):
                something_happens(world, dice)
            await stack.publish(world)
            await settled(tenant, world)
            assert seen
        assert await leftovers(stack) == []


async def test_a_rebuild_leaves_no_view_for_later_however_much_it_reads_at_once(own_stack: OwnStack) -> None:
    async with own_stack() as stack:
        tenant, world = stack.tenant()
        a_company(world, random.Random(5), contacts=80)
        await stack.publish(world)
        await settled(tenant, world)
        code, output = await rebuild(stack)
        assert code == 0, output
        assert "live and rebuilt are equal" in output
        assert await rows(stack, world.tenant_id, "stale_customer") == {}
        await settled(tenant, world)


async def schema(stack: Stack) -> dict[str, list[str]]:
    """What the catalogue says of the projection's tables."""
    queries = {
        "columns": "select table_name || (c.column_name, data_type, collation_name, is_nullable, column_default)::text"
        " from information_schema.columns c where table_schema = 'public' and table_name = any($1)",
        "indexes": "select indexdef from pg_indexes where schemaname = 'public' and tablename = any($1)",
        "constraints": "select conrelid::regclass || conname || pg_get_constraintdef(oid) from pg_constraint"
        " where connamespace = 'public'::regnamespace and conrelid::regclass::text = any($1)",
        "policies": "select p::text from pg_policies p where schemaname = 'public' and tablename = any($1)",
        "rights": "select relname || relacl::text || relrowsecurity || relforcerowsecurity || relowner from pg_class"
        " where relnamespace = 'public'::regnamespace and relname = any($1)",
    }
    return {name: sorted(row[0] for row in await as_owner(stack, query, TABLES)) for name, query in queries.items()}


async def test_what_nobody_touched_stays_byte_for_byte_and_the_tables_are_as_migrations_made_them(
    own_stack: OwnStack,
) -> None:
    async with own_stack() as stack:
        tenant, world = stack.tenant()
        other, other_world = stack.tenant()
        for one in (world, other_world):
            a_company(one, random.Random(4))
            await stack.publish(one)
        await settled(tenant, world)
        await settled(other, other_world)
        before, tables = await rows(stack, tenant.id), await schema(stack)
        code, output = await rebuild(stack)
        assert code == 0, output
        assert "live and rebuilt are equal" in output
        assert await rows(stack, tenant.id) == before
        assert await schema(stack) == tables
        owner = Database(stack.gateway.urls.owner)
        async with owner.engine.connect() as connection:
            assert list(await connection.run_sync(differences, METADATA)) == []
        await owner.close()
        await sees_only_its_own(stack, tenant.id, other.id)


async def sees_only_its_own(stack: Stack, *tenant_ids: str) -> None:
    database = stack.gateway.runtime.database
    for table in TABLES:
        async with database.read(None) as session:
            assert await session.scalar(text(f"select count(*) from {table}")) == 0
        for tenant_id in tenant_ids:
            async with database.read(tenant_id) as session:
                found = set(await session.scalars(text(f"select tenant_id from {table}")))
            assert found == (set() if table == "stale_customer" else {tenant_id})


async def test_a_damaged_view_is_found_and_healed_with_a_greater_version(own_stack: OwnStack) -> None:
    async with own_stack() as stack:
        tenant, world = stack.tenant()
        a_company(world, random.Random(5))
        await stack.publish(world)
        await settled(tenant, world)
        changed, deleted, *untouched = sorted(entity["id"] for entity in world.all_of("contact"))
        before = await rows(stack, tenant.id)
        old = {one: (await view(tenant, one)).json()["version"] for one in (changed, deleted)}
        await change(
            stack,
            tenant.id,
            "update customer_view set doc = convert_to(replace(convert_from(doc, 'UTF8'), '王伟', '张三'), 'UTF8')"
            " where id = :id",
            id=changed,
        )
        await change(stack, tenant.id, "delete from customer_view where id = :id", id=deleted)

        code, output = await rebuild(stack, "--no-switch")
        assert code == 1
        assert f"customer_view: 1 only rebuilt: {tenant.id}/{deleted}" in output
        assert f"customer_view: 1 different: {tenant.id}/{changed}" in output
        assert (await view(tenant, changed)).json()["profile"]["full_name"] == "张三", "nothing is switched"
        assert (await view(tenant, deleted)).status_code == 404
        assert await leftovers(stack) == []

        code, output = await rebuild(stack)
        assert code == 0, output
        await settled(tenant, world)
        for one in (changed, deleted):
            assert (await view(tenant, one)).json()["version"] > old[one]
        after = await rows(stack, tenant.id)
        assert {one: after[one] for one in untouched} == {one: before[one] for one in untouched}
        code, output = await rebuild(stack, "--no-switch")
        assert code == 0, output


async def _under_way(stack: Stack) -> asyncio.subprocess.Process:
    """A rebuild that has begun. One that was done before anybody looked is followed by another."""
    while True:
        process = await started(stack)
        while process.returncode is None:
            if await leftovers(stack):
                return process
            await asyncio.sleep(0.01)


async def test_a_killed_rebuild_leaves_the_live_views_and_the_next_one_begins_anew(own_stack: OwnStack) -> None:
    async with own_stack() as stack:
        tenant, world = stack.tenant()
        a_company(world, random.Random(6))
        await stack.publish(world)
        await settled(tenant, world)
        before = await rows(stack, tenant.id)
        async with asyncio.timeout(120):
            first = await _under_way(stack)
        first.send_signal(signal.SIGSTOP)
        code, output = await rebuild(stack)
        assert code == 1
        assert "another rebuild is running" in output
        first.kill()
        await first.communicate()
        assert await leftovers(stack), "the first was killed on its way"
        assert await rows(stack, tenant.id) == before
        something_happens(world, random.Random(7))
        await stack.publish(world)
        await settled(tenant, world)
        before = await rows(stack, tenant.id)
        code, output = await rebuild(stack)
        assert code == 0, output
        assert await rows(stack, tenant.id) == before
        assert await leftovers(stack) == []
