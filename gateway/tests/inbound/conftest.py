"""Sources of a tenant of its own, before stand-ins for the services."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from crm_testkit.backfills import Asking, asking_source
from crm_testkit.door import Door, Keyholder
from crm_testkit.shop_server import running_shop
from crm_testkit.shops import Shop
from crm_testkit.stand_in import Asked, Reply

Register = Callable[..., Awaitable[Shop]]


@pytest_asyncio.fixture
async def register(door: Door, tenant: Keyholder) -> AsyncIterator[Register]:
    """Registers a source of a kind."""
    made: list[str] = []

    async def make(kind: str = "shopify", **more: Any) -> Shop:
        answer = await tenant.client.post("/v1/inbound-sources", json={"name": "Shop", "kind": kind, **more})
        assert answer.status_code == 201, answer.text
        made.append(answer.json()["id"])
        return Shop(door.service.anonymous(), answer.json())

    yield make
    # Or what failed here is tried again while other tests look at what the services are asked.
    for source_id in made:
        await tenant.client.delete(f"/v1/inbound-sources/{source_id}")


def nobody_is_there(asked: Asked) -> Reply:
    """Of contacts-svc: finds nobody, and makes whoever is asked for."""
    if asked.target.endswith("/search"):
        return Reply(body=b'{"data": [], "next_cursor": null}')
    return Reply(status=500, body=json.dumps({"code": "internal"}).encode())


@pytest_asyncio.fixture
async def shopify(tenant: Keyholder) -> AsyncIterator[Asking]:
    async with running_shop("shopify") as shop:
        yield await asking_source(tenant.client, shop)


@pytest_asyncio.fixture(params=["shopify", "woocommerce"])
async def either(request: pytest.FixtureRequest, tenant: Keyholder) -> AsyncIterator[Asking]:
    async with running_shop(request.param) as shop:
        yield await asking_source(tenant.client, shop)


@pytest_asyncio.fixture
async def woocommerce(tenant: Keyholder) -> AsyncIterator[Asking]:
    async with running_shop("woocommerce") as shop:
        yield await asking_source(tenant.client, shop)
