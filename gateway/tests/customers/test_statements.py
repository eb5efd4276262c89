"""How many statements a view takes: that does not depend on the machine."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from crm_kit.db.embedded import EmbeddedPostgres
from crm_testkit.customer_world import World
from crm_testkit.statements import CountStatements, counting_statements
from gateway.features.customers.projection import project

Stack = Any
"""The fixture of conftest.py, whose class cannot be imported from there."""


@pytest_asyncio.fixture
async def count(stack: Stack, postgres_server: EmbeddedPostgres) -> AsyncIterator[CountStatements]:
    async with counting_statements(stack.gateway.urls, postgres_server) as counted:
        yield counted


async def _apply(stack: Stack, world: World) -> None:
    events = [event for _, event in world.events]
    world.events.clear()
    async with stack.gateway.runtime.database.write(world.tenant_id) as session:
        await project(session, events)


async def test_a_view_is_read_by_one_statement_and_its_version_too(stack: Stack, count: CountStatements) -> None:
    tenant, world = stack.tenant()
    contact = world.create("contact")["id"]
    await _apply(stack, world)
    path = f"/v1/customers/{contact}"
    tag = (await tenant.client.get(path)).headers["ETag"]  # connects
    assert await count(lambda: tenant.read(path)) == 1
    known = {"If-None-Match": tag}
    assert (await tenant.client.get(path, headers=known)).status_code == 304
    assert await count(lambda: tenant.client.get(path, headers=known)) == 1
    others = {"If-None-Match": '"4711"'}
    assert await count(lambda: tenant.client.get(path, headers=others)) == 2


async def test_new_persons_take_as_many_statements_as_one_of_them(stack: Stack, count: CountStatements) -> None:
    """BEGIN, the tenant, entities, timeline, locks, views so far, who they are, views, what they are found by, COMMIT."""
    _, world = stack.tenant()
    for _ in range(3):  # connects, and learns the types of what is sent
        world.create("contact")
        await _apply(stack, world)
    world.create("contact")
    one = await count(lambda: _apply(stack, world))
    for _ in range(50):
        world.create("contact")
    assert await count(lambda: _apply(stack, world)) == one <= 10
