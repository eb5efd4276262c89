"""A whole gateway behind a PgBouncer that lends three sessions: what is written becomes views, webhooks and deliveries."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from crm_kit.db.provision import ServiceUrls
from crm_testkit import pgbouncer
from crm_testkit.customer_world import World
from crm_testkit.door import Door, running_door
from crm_testkit.shops import Shop
from crm_testkit.stand_in import running_stand_in
from crm_testkit.webhooks import Hooks
from gateway.composition import make_authenticator
from gateway.manifest import MANIFEST

pytestmark = pytest.mark.skipif(pgbouncer.lacking() is not None, reason=pgbouncer.lacking() or "")


@pytest_asyncio.fixture
async def door(
    postgres_database: Callable[[str], ServiceUrls],
    event_log_database: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Door]:
    urls, folder = postgres_database("gateway"), tmp_path_factory.mktemp("pooled")
    async with pgbouncer.running_pgbouncer(urls.app, sessions=3) as pooled:
        settings = {"database_url": pooled, "database_pooler": "transaction", "outbound_trusted_hosts": "127.0.0.1"}
        async with running_door(
            MANIFEST, make_authenticator, urls, event_log_database(), folder, **settings
        ) as running:
            yield running


async def _uses_all(door: Door, number: int) -> None:
    """One tenant: its team is told of, its contact becomes a view, its shop's delivery is taken in; of others it sees nothing."""
    tenant = await door.tenant(f"Tenant {number}")
    async with running_stand_in() as receiver:
        hooks = Hooks(tenant.client, receiver)
        await hooks.subscribe()
        world = World(tenant.id)
        contacts = [world.create("contact", full_name=f"{tenant.id} {each}") for each in range(5)]
        await door.service.publish(*world.events)
        teams = [(await hooks.team(f"{tenant.id} {each}"))["id"] for each in range(3)]
        told = await hooks.arrived(len(teams))
        assert {event["subject"] for event in told} == set(teams)
        source = await hooks.post(
            "/v1/inbound-sources", 201, {"name": "Shop", "kind": "generic", "topic_header": "X-Topic"}
        )
        answer = await Shop(door.service.anonymous(), source).standard({"id": 1}, **{"X-Topic": "thing.made"})
        assert answer.status_code == 200, answer.text
        async with asyncio.timeout(30):
            while len(found := (await hooks.get("/v1/customers", limit=200))["data"]) < len(contacts):
                await asyncio.sleep(0.05)
        assert {each["id"] for each in found} == {each["id"] for each in contacts}
        for contact in contacts:
            view = await hooks.get(f"/v1/customers/{contact['id']}")
            assert view["profile"]["full_name"] == contact["full_name"]


async def test_many_tenants_at_once(door: Door) -> None:
    await asyncio.gather(*(_uses_all(door, number) for number in range(8)))
