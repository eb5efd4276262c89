"""Whatever the order of events, the view is what the entities say."""

import random
from typing import Any

import orjson
from crm_contracts.envelope import Event
from crm_contracts.ids import TenantId
from crm_kit.db.session import Database
from crm_testkit.customer_world import World, content, moment
from crm_testkit.random_world import batches, random_world
from gateway.features.customers.compose import Facts, compose
from gateway.features.customers.projection import project
from gateway.features.customers.timeline import entries_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

Stack = Any
"""The fixture of conftest.py, whose class cannot be imported from there."""


async def apply(database: Database, tenant_id: str, events: list[Event]) -> None:
    async with database.write(tenant_id) as session:
        await project(session, events)


async def documents(database: Database, tenant_id: str) -> dict[str, dict[str, Any]]:
    async with database.read(tenant_id) as session:
        rows = await session.execute(text("select id, doc from customer_view order by id"))
        return {row.id: orjson.loads(row.doc) for row in rows}


async def timeline(database: Database, tenant_id: str) -> list[Any]:
    async with database.read(tenant_id) as session:
        rows = await session.execute(text("select cast(entry as text) as entry from timeline_entry order by entry_id"))
        return [orjson.loads(row.entry) for row in rows]


def expected(world: World) -> dict[str, dict[str, Any]]:
    told: dict[str, Any] = {one: world.facts(one) for one in world.customers()}
    return {one: compose(Facts(**facts)) for one, facts in told.items()}


def expected_timeline(world: World) -> list[Any]:
    entries = [entry for kind, entity in world.entities.values() for entry in entries_of(kind, entity)]
    return [entry.json() for entry in sorted(entries, key=lambda entry: entry.id)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 60))
async def test_any_order_of_events_gives_the_view_that_the_final_entities_compose(
    stack: Stack, seed: int, steps: int
) -> None:
    dice = random.Random(seed)
    world = random_world(dice, steps)
    database = stack.gateway.runtime.database
    events = [event for _, event in world.events]
    for batch in batches(events, dice):
        await apply(database, world.tenant_id, batch)
    found = await documents(database, world.tenant_id)
    assert {one: content(document) for one, document in found.items()} == expected(world)
    assert await timeline(database, world.tenant_id) == expected_timeline(world)


async def test_a_replay_from_the_beginning_changes_nothing(stack: Stack) -> None:
    world = random_world(random.Random(1), 200)
    database = stack.gateway.runtime.database
    events = [event for _, event in world.events]
    await apply(database, world.tenant_id, events)
    before = await documents(database, world.tenant_id)
    for event in events:
        await apply(database, world.tenant_id, [event])
    assert await documents(database, world.tenant_id) == before


async def test_a_projection_rebuilt_event_by_event_has_the_same_documents(stack: Stack) -> None:
    dice = random.Random(2)
    world = random_world(dice, 150)
    database = stack.gateway.runtime.database
    other = TenantId.new()
    events = [event for _, event in world.events]
    await apply(database, world.tenant_id, events)
    for event in events:
        await apply(database, other, [event])
    first, second = await documents(database, world.tenant_id), await documents(database, other)
    assert {one: content(document) for one, document in first.items()} == {
        one: content(document) for one, document in second.items()
    }
    assert {one: document["as_of"] for one, document in first.items()} == {
        one: document["as_of"] for one, document in second.items()
    }


async def test_a_tombstone_alone_deletes_and_stays_deleted(stack: Stack) -> None:
    world = World(TenantId.new())
    database = stack.gateway.runtime.database
    contact = world.create("contact")
    deal = world.create("deal", contact_id=contact["id"])
    created = [event for _, event in world.events]
    world.delete(deal["id"])
    await apply(database, world.tenant_id, created)
    assert (await documents(database, world.tenant_id))[contact["id"]]["sales"]["open_deals"]
    await apply(database, world.tenant_id, [world.events[-1][1]])
    await apply(database, world.tenant_id, created)
    view = (await documents(database, world.tenant_id))[contact["id"]]
    assert view["sales"]["open_deals"] == []
    assert await timeline(database, world.tenant_id) == expected_timeline(world)


async def test_two_writers_of_one_customer_lose_nothing(stack: Stack) -> None:
    import asyncio

    world = World(TenantId.new())
    database = stack.gateway.runtime.database
    account = world.create("account")
    contacts = [world.create("contact", account_id=account["id"]) for _ in range(3)]
    await apply(database, world.tenant_id, [event for _, event in world.events])
    world.events.clear()
    for number in range(40):
        contact = contacts[number % 3]
        world.create("ticket" if number % 2 else "deal", contact_id=contact["id"], account_id=None)
        if number % 5 == 0:
            world.update(contact["id"], title=f"经理 {number}")
    by_topic: dict[str, list[Event]] = {}
    for topic, event in world.events:
        by_topic.setdefault(topic, []).append(event)

    async def write(events: list[Event]) -> None:
        for event in events:
            await apply(database, world.tenant_id, [event])

    await asyncio.gather(*(write(events) for events in by_topic.values()))
    found = await documents(database, world.tenant_id)
    assert {one: content(document) for one, document in found.items()} == expected(world)


async def test_a_batch_takes_a_bounded_number_of_statements(stack: Stack) -> None:
    from sqlalchemy import event as sqlalchemy_event

    database = stack.gateway.runtime.database
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    counts = []
    for size in (100, 500):
        world = World(TenantId.new())
        for number in range(size // 10):
            account = world.create("account")
            contact = world.create("contact", account_id=account["id"])
            for _ in range(4):
                world.create("activity", contact_id=contact["id"], account_id=account["id"], at=moment(number))
            for _ in range(4):
                world.create("deal", contact_id=contact["id"], account_id=account["id"])
        sqlalchemy_event.listen(database.engine.sync_engine, "before_cursor_execute", note)
        try:
            statements.clear()
            await apply(database, world.tenant_id, [event for _, event in world.events])
            counts.append(len(statements))
        finally:
            sqlalchemy_event.remove(database.engine.sync_engine, "before_cursor_execute", note)
    assert counts[0] <= 40
    assert counts[1] <= 80, "one more round for every 200 contacts and every 20 accounts"
