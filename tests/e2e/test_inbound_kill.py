"""`kill -9` of the gateway while deliveries come in and are worked on: each that was acknowledged takes effect, once."""

import asyncio
import random
import uuid
from typing import Any

import httpx
from crm_testkit.shops import Shop, as_sent, woocommerce_headers, woocommerce_order
from crm_testkit.whole_stack import Relata

_DELIVERIES = 80
_PERSONS = 20
_KILLS = 3


async def _insist(shop: Shop, number: int) -> str:
    """As a sender that repeats what was not acknowledged; by the delivery's id."""
    order = woocommerce_order(number, 0, f"guest{number % _PERSONS}@example.com")
    order["billing"]["phone"] = f"138 0013 80{number % _PERSONS:02d}"
    body = as_sent(order)
    async with asyncio.timeout(120):
        while True:
            try:
                answer = await shop.post(body, woocommerce_headers(shop.secret, "order.created", body))
            except httpx.TransportError:
                await asyncio.sleep(0.1)
                continue
            if answer.status_code == 200:
                return str(answer.json()["delivery_id"])
            assert answer.status_code in (500, 502, 503), answer.text
            await asyncio.sleep(0.1)


async def _all(client: httpx.AsyncClient, path: str, **params: Any) -> list[dict[str, Any]]:
    async with asyncio.timeout(60):
        while True:
            try:
                answer = await client.get(path, params={"limit": 200, **params})
                if answer.status_code == 200:
                    return list(answer.json()["data"])
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.2)


async def test_each_acknowledged_delivery_takes_effect_once_whatever_dies(on_embedded: Relata) -> None:
    relata, drawn = on_embedded, random.Random(7)
    key = await relata.new_tenant_key("Killed")
    async with relata.client_of(key) as client, httpx.AsyncClient(base_url=relata.gateway_url, timeout=60) as sender:
        source = await client.post("/v1/inbound-sources", json={"name": uuid.uuid4().hex, "kind": "woocommerce"})
        shop = Shop(sender, source.json())
        sending = [asyncio.create_task(_insist(shop, 1_000 + n)) for n in range(_DELIVERIES)]
        for _ in range(_KILLS):
            await asyncio.sleep(drawn.uniform(0.3, 1.0))
            relata.stack.kill("gateway")
            await asyncio.sleep(1.5)
        acknowledged = await asyncio.gather(*sending)
        async with asyncio.timeout(150):
            while any(one["due_at"] for one in await _all(client, "/v1/inbound-deliveries")):
                await asyncio.sleep(0.5)
        deliveries = await _all(client, "/v1/inbound-deliveries")
        assert {one["id"] for one in deliveries} == set(acknowledged)
        assert {one["status"] for one in deliveries} == {"done"}, [one for one in deliveries if one["status"] != "done"]
        orders = await _all(client, "/v1/orders")
        assert sorted(int(one["external_id"]) for one in orders) == [1_000 + n for n in range(_DELIVERIES)]
        contacts = await _all(client, "/v1/contacts")
        assert len(contacts) == _PERSONS
        by_id = {one["id"]: one["emails"][0]["address"] for one in contacts}
        assert all(
            by_id[one["contact_id"]] == f"guest{int(one['external_id']) % _PERSONS}@example.com" for one in orders
        )
