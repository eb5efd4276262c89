"""What piles up is stored first; every view is right in the end, and right whenever it is read."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

import orjson
from crm_contracts.envelope import Event
from crm_contracts.ids import TenantId
from crm_kit.db.session import Database
from crm_kit.inbox.applying import is_transient
from crm_testkit.customer_world import World, content
from crm_testkit.random_world import batches, random_world
from gateway.features.customers.backlog import project_backlog, refresh_oldest, refresh_stale
from gateway.features.customers.compose import Facts, compose
from gateway.features.customers.projection import project
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

Stack = Any
"""The fixture of conftest.py, whose class cannot be imported from there."""


async def apply(database: Database, tenant_id: str, events: list[Event]) -> None:
    async with database.write(tenant_id) as session:
        await project(session, events)


async def pile_up(database: Database, tenant_id: str, events: list[Event]) -> None:
    async with database.write(tenant_id) as session:
        await project_backlog(session, events)


async def again(work: Callable[[], Awaitable[Any]]) -> None:
    """As consumers and readers do where two have waited for each other."""
    while True:
        try:
            await work()
            return
        except Exception as error:
            if not is_transient(error):
                raise


async def stale(database: Database, tenant_id: str) -> set[str]:
    async with database.read(tenant_id) as session:
        return set(await session.scalars(text("select customer_id from stale_customer")))


async def until_composed(database: Database, tenant_id: str) -> None:
    """The stack's own worker is at it too."""
    async with asyncio.timeout(30):
        while await stale(database, tenant_id):
            await refresh_oldest(database, tenant_id, accounts_first=random.random() < 0.5)  # no secret
            await asyncio.sleep(0.01)


async def documents(database: Database, tenant_id: str) -> dict[str, dict[str, Any]]:
    async with database.read(tenant_id) as session:
        rows = await session.execute(text("select id, doc from customer_view"))
        return {row.id: content(orjson.loads(row.doc)) for row in rows}


def expected(world: World) -> dict[str, dict[str, Any]]:
    told: dict[str, Any] = {one: world.facts(one) for one in world.customers()}
    return {one: compose(Facts(**facts)) for one, facts in told.items()}


async def assert_composed(database: Database, world: World) -> None:
    assert await documents(database, world.tenant_id) == expected(world)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 60))
async def test_however_it_is_applied_and_composed_the_views_are_right_in_the_end(
    stack: Stack, seed: int, steps: int
) -> None:
    dice = random.Random(seed)
    world = random_world(dice, steps)
    database = stack.gateway.runtime.database
    for batch in batches([event for _, event in world.events], dice):
        await dice.choice((apply, pile_up))(database, world.tenant_id, batch)
        if marked := sorted(await stale(database, world.tenant_id)):
            await refresh_stale(database, world.tenant_id, dice.choice(marked))
    await until_composed(database, world.tenant_id)
    await assert_composed(database, world)


async def test_consumers_readers_and_the_worker_at_once_lose_nothing(stack: Stack) -> None:
    database = stack.gateway.runtime.database
    for seed in range(12):
        dice = random.Random(seed)
        world = random_world(dice, 80)
        events = [event for _, event in world.events]
        customers = world.customers()

        async def read(world: World = world, customers: list[str] = customers, dice: random.Random = dice) -> None:
            for _ in range(10):
                await again(partial(refresh_stale, database, world.tenant_id, dice.choice(customers)))

        halves = dice.sample(events, len(events) // 2), dice.sample(events, len(events))
        await asyncio.gather(
            *(again(partial(pile_up, database, world.tenant_id, batch)) for batch in batches(halves[0], dice)),
            *(again(partial(apply, database, world.tenant_id, batch)) for batch in batches(halves[1], dice)),
            *(again(partial(refresh_oldest, database, world.tenant_id)) for _ in range(4)),
            *([read(), read()] if customers else []),
        )
        await until_composed(database, world.tenant_id)
        await assert_composed(database, world)


async def test_who_had_an_entity_is_known_though_two_consumers_move_it_at_once(stack: Stack) -> None:
    _, world = stack.tenant()
    database = stack.gateway.runtime.database
    contacts = [world.create("contact")["id"] for _ in range(3)]
    ticket = world.create("ticket", contact_id=contacts[0])["id"]
    await apply(database, world.tenant_id, [event for _, event in world.events])
    for contact_id in contacts[1:]:
        world.update(ticket, contact_id=contact_id)
    second, third = (event for _, event in world.events[-2:])
    async with database.write(world.tenant_id) as session:
        await project(session, [second])
        waiting = asyncio.create_task(pile_up(database, world.tenant_id, [third]))
        async with database.read(None) as looking, asyncio.timeout(10):
            while not await looking.scalar(text("select exists (select from pg_locks where not granted)")):
                await asyncio.sleep(0.01)
    await waiting
    await until_composed(database, world.tenant_id)
    await assert_composed(database, world)


async def test_a_stale_view_is_composed_for_its_reader(stack: Stack) -> None:
    tenant, world = stack.tenant()
    database = stack.gateway.runtime.database
    account = world.create("account")
    contacts = [world.create("contact", account_id=account["id"])["id"] for _ in range(5)]
    await apply(database, world.tenant_id, [event for _, event in world.events])
    world.events.clear()
    known = {"If-None-Match": (await tenant.client.get(f"/v1/customers/{contacts[3]}")).headers["ETag"]}
    for number, contact_id in enumerate(contacts):
        world.update(contact_id, title=f"T{number}")
        world.create("ticket", contact_id=contact_id)
    world.update(account["id"], name="新名字")
    await pile_up(database, world.tenant_id, [event for _, event in world.events])
    for one in (contacts[2], account["id"]):
        assert content(await tenant.read(f"/v1/customers/{one}")) == expected(world)[one]
    renewed = await tenant.client.get(f"/v1/customers/{contacts[3]}", headers=known)
    assert content(renewed.json()) == expected(world)[contacts[3]]
    await until_composed(database, world.tenant_id)
    await assert_composed(database, world)


async def test_a_backlog_that_comes_over_the_log_is_shown(stack: Stack, eventually: Any) -> None:
    tenant, world = stack.tenant()
    contacts = [world.create("contact")["id"] for _ in range(30)]
    for number in range(1500):
        world.update(contacts[number % 30], title=f"T{number}")
    token = {"Consistency-Token": f"{contacts[0]}@51"}
    database = stack.gateway.runtime.database
    await stack.publish(world)

    async def shown() -> bool:
        answer = await tenant.client.get(f"/v1/customers/{contacts[0]}", headers=token)
        is_new = answer.json()["profile"]["title"] == "T1470"  # composed from the services while the log is behind
        is_stored = set(await documents(database, world.tenant_id)) == set(contacts)
        return is_new and is_stored and not await stale(database, world.tenant_id)

    await eventually(shown)
    await assert_composed(database, world)


async def test_a_customer_that_cannot_be_composed_does_not_hold_up_the_others(stack: Stack, eventually: Any) -> None:
    tenant, world = stack.tenant()
    database = stack.gateway.runtime.database
    bad, *good = [world.create("contact")["id"] for _ in range(5)]
    events = [event for _, event in world.events]
    spoilt = {name: value for name, value in (events[0].entity or {}).items() if name != "external_ids"}
    await pile_up(database, world.tenant_id, [replace(events[0], entity=spoilt), *events[1:]])

    async def others_are_composed() -> bool:
        found = await documents(database, world.tenant_id)
        return await stale(database, world.tenant_id) == {bad} and set(found) == set(good)

    await eventually(others_are_composed)
    assert (await tenant.client.get(f"/v1/customers/{bad}")).status_code == 404
    world.events.clear()
    world.update(bad, title="again")
    await pile_up(database, world.tenant_id, [event for _, event in world.events])
    await until_composed(database, world.tenant_id)
    await assert_composed(database, world)


async def test_marks_are_their_tenants_own(stack: Stack) -> None:
    world = World(TenantId.new())
    database = stack.gateway.runtime.database
    contact_id = world.create("contact")["id"]
    await pile_up(database, world.tenant_id, [event for _, event in world.events])
    stranger = TenantId.new()
    assert await stale(database, stranger) == set()
    await refresh_stale(database, stranger, contact_id)
    await until_composed(database, world.tenant_id)
    assert orjson.dumps(await documents(database, stranger)) == b"{}"
    await assert_composed(database, world)
