"""A source whose shop is asked, and what is looked at of that."""

import asyncio
import uuid
from collections import Counter
from typing import Any, Final

import httpx
import orjson

from crm_testkit.jobs import ended
from crm_testkit.shop_server import ShopServer
from crm_testkit.shops import (
    ShopifyCustomer,
    shopify_order,
    shopify_product,
    woocommerce_customer,
    woocommerce_order,
    woocommerce_product,
)

Json = dict[str, Any]
SOURCES: Final = "/v1/inbound-sources"
_AT_ONCE: Final = 20
"""More requests than that would wait for connections to the database longer than they may."""
NOTHING: Final[Json] = {"*": {"steps": []}, **{topic: {"steps": []} for topic in (
    "customers/update", "orders/updated", "products/update", "customer.updated", "order.updated", "product.updated")}}  # fmt: skip
"""Mappings by which a delivery is noted, and nothing is written: no service is needed."""


class Asking:
    """A tenant's source, and the shop that it asks."""

    def __init__(self, client: httpx.AsyncClient, shop: ShopServer, source: Json) -> None:
        self.client, self.shop, self.source = client, shop, source

    @property
    def path(self) -> str:
        return f"{SOURCES}/{self.source['id']}/backfills"

    async def start(self, **body: Any) -> Json:
        answer = await self.client.post(self.path, json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def done(self, **body: Any) -> Json:
        begun = await self.start(**body)
        return await ended(self.client, f"{self.path}/{begun['id']}")

    async def payloads(self, **params: Any) -> list[tuple[str, Json]]:
        """Topic and body of what has come in."""
        found: list[tuple[str, Json]] = []
        cursor: str | None = ""
        while cursor is not None:
            asked = {"source_id": self.source["id"], "limit": 200, **params, **({"cursor": cursor} if cursor else {})}
            page = (await self.client.get("/v1/inbound-deliveries", params=asked)).json()
            for start in range(0, len(page["data"]), _AT_ONCE):
                some = page["data"][start : start + _AT_ONCE]
                bodies = await asyncio.gather(*map(self.payload, some))
                found += zip((one["topic"] for one in some), bodies, strict=True)
            cursor = page["next_cursor"]
        return found

    async def taken(self, **params: Any) -> Counter[tuple[str, int]]:
        """How often each topic and id has come in."""
        return Counter((topic, body["id"]) for topic, body in await self.payloads(**params))

    async def payload(self, delivery: Json) -> Json:
        answer = await self.client.get(f"/v1/inbound-deliveries/{delivery['id']}/payload")
        return dict(orjson.loads(answer.json()["body"]))


async def asking_source(client: httpx.AsyncClient, shop: ShopServer, **more: Any) -> Asking:
    """A source of the shop; `more`: in its `pull`."""
    body = {"name": "Shop", "kind": shop.kind, "mappings": NOTHING, "pull": {**shop.pull, **more}}
    answer = await client.post(SOURCES, json=body)
    assert answer.status_code == 201, answer.text
    return Asking(client, shop, answer.json())


def fill(shop: ShopServer, count: int) -> None:
    """So many orders, five customers, a product."""
    if shop.kind == "shopify":
        shop.put("customers", *(ShopifyCustomer(n, f"c{n}@example.com").payload() for n in range(1, 6)))
        shop.put("products", shopify_product(1, "Kettle"))
        shop.put("orders", *(shopify_order(n, None) for n in range(1, count + 1)))
    else:
        shop.put("customers", *(woocommerce_customer(n, f"c{n}@example.com") for n in range(1, 6)))
        shop.put("products", woocommerce_product(1, "Kettle"))
        shop.put("orders", *(woocommerce_order(n, 0, f"g{n}@example.com") for n in range(1, count + 1)))


def all_of(shop: ShopServer) -> set[tuple[str, int]]:
    """As `Asking.taken` has it."""
    topics = {
        "shopify": {"customers": "customers/update", "products": "products/update", "orders": "orders/updated"},
        "woocommerce": {"customers": "customer.updated", "products": "product.updated", "orders": "order.updated"},
    }[shop.kind]
    return {(topics[resource], id_) for resource, records in shop.records.items() for id_ in records}


async def cancelled_backfill(client: httpx.AsyncClient) -> tuple[str, str]:
    """The ids of a source whose shop is nowhere, and of a run that was cancelled."""
    pull = {"base_url": "http://127.0.0.1:9", "credentials": {"access_token": "shpat_of-nobody"}}
    body = {"name": "Shop", "kind": "shopify", "system": uuid.uuid4().hex, "pull": pull}
    source = (await client.post(SOURCES, json=body)).json()
    run = await client.post(f"{SOURCES}/{source['id']}/backfills")
    assert run.status_code == 201, run.text
    cancelled = await client.post(f"/v1/jobs/{run.json()['job_id']}/cancel")
    assert cancelled.status_code == 200, cancelled.text
    return str(source["id"]), str(run.json()["id"])
