"""What shops and ERPs send becomes persons, orders and consents in the customer's view, once and in its newest state."""

import asyncio
import random
import uuid
from typing import Any

import httpx
import pytest
from crm_testkit.shops import Shop, ShopifyCustomer, shopify_order, woocommerce_order
from crm_testkit.whole_stack import Relata

Json = dict[str, Any]
SOURCES, DELIVERIES = "/v1/inbound-sources", "/v1/inbound-deliveries"


class Office:
    """A tenant with sources; `client` has every right, `sender` none."""

    def __init__(self, relata: Relata, client: httpx.AsyncClient, sender: httpx.AsyncClient) -> None:
        self.relata, self.client, self.sender = relata, client, sender

    async def shop(self, kind: str = "shopify", **more: Any) -> Shop:
        answer = await self.client.post(SOURCES, json={"name": "Shop", "kind": kind, **more})
        assert answer.status_code == 201, answer.text
        return Shop(self.sender, answer.json())

    async def ended(self, shop: Shop) -> list[Json]:
        """All of a shop's deliveries, once none is on its way."""
        async with asyncio.timeout(90):
            while True:
                where = {"source_id": shop.source["id"], "limit": 200}
                found = (await self.client.get(DELIVERIES, params=where)).json()["data"]
                if all(one["due_at"] is None for one in found):
                    return list(found)
                await asyncio.sleep(0.1)

    async def only(self, path: str, **params: Any) -> Json:
        found = (await self.client.get(path, params=params)).json()["data"]
        assert len(found) == 1, found
        return dict(found[0])

    async def view(self, contact_id: str) -> Json:
        return dict((await self.client.get(f"/v1/customers/{contact_id}")).json())

    async def consents(self, contact_id: str) -> dict[str, str]:
        state = (await self.client.get(f"/v1/contacts/{contact_id}/consents/state")).json()["data"]
        return {one["channel"]: one["status"] for one in state}


@pytest.fixture
async def office(relata: Relata) -> Any:
    key = await relata.new_tenant_key("Inbound")
    async with relata.client_of(key) as client, httpx.AsyncClient(base_url=relata.gateway_url, timeout=60) as sender:
        yield Office(relata, client, sender)


async def test_a_shop_s_customer_and_order_stand_in_the_view(office: Office) -> None:
    shop = await office.shop()
    bob = ShopifyCustomer(207, "bob@example.com", phone="+15026251199", consent=("subscribed", "2026-04-01T00:00:00Z"))
    assert (await shop.shopify("customers/create", bob.payload())).status_code == 200
    paid = shopify_order(450, bob.payload(), financial_status="paid")
    assert (await shop.shopify("orders/paid", paid)).status_code == 200
    deliveries = await office.ended(shop)
    assert [one["status"] for one in deliveries] == ["done", "done"], deliveries
    contact = await office.only("/v1/contacts", email="bob@example.com")
    assert (contact["full_name"], contact["external_ids"]) == ("Bob Norman", {"shopify": "207"})
    assert contact["phones"][0]["number"] == "+15026251199"
    assert contact["address"]["city"] == "Louisville"
    order = await office.only("/v1/orders", external_id="450")
    assert (order["contact_id"], order["status"], order["number"]) == (contact["id"], "paid", "#450")
    assert order["total"] == {"amount": "409.94", "currency": "USD"}
    async with asyncio.timeout(30):
        while (view := await office.view(contact["id"]))["sales"]["orders"]["count"] != 1:
            await asyncio.sleep(0.1)
    assert view["consents"]["email"]["marketing"] == "granted"
    entry = (await office.client.get(f"/v1/contacts/{contact['id']}/consents")).json()["data"][0]
    assert entry["evidence"]["opt_in_level"] == "single_opt_in"
    assert entry["at"] == "2026-04-01T00:00:00Z"


def _story() -> list[tuple[str, Json]]:
    early = ShopifyCustomer(7, "bob@example.com", consent=("subscribed", "2026-04-01T00:00:00Z")).payload()
    later = ShopifyCustomer(
        7, "robert@example.com", first_name="Robert", phone="+15026251199", updated_at="2026-05-03T10:00:00-04:00",
        consent=("unsubscribed", "2026-05-03T10:00:00-04:00"),
    ).payload()  # fmt: skip
    return [
        ("customers/create", early),
        ("customers/update", later),
        ("orders/create", shopify_order(450, early)),
        ("orders/paid", shopify_order(450, early, financial_status="paid", updated_at="2026-05-02T11:05:00-05:00")),
        (
            "orders/cancelled",
            shopify_order(451, later, cancelled_at="2026-05-04T00:00:00Z", updated_at="2026-05-04T00:00:00Z"),
        ),
        ("orders/create", shopify_order(451, later)),
    ]


async def _end_state(office: Office) -> Json:
    contacts = (await office.client.get("/v1/contacts")).json()["data"]
    assert len(contacts) == 1, [one["emails"] for one in contacts]
    contact = contacts[0]
    orders = (await office.client.get("/v1/orders", params={"sort": "number"})).json()["data"]
    return {
        "name": contact["full_name"],
        "emails": [one["address"] for one in contact["emails"]],
        "phones": [one["number"] for one in contact["phones"]],
        "external_ids": contact["external_ids"],
        "orders": [(one["number"], one["status"], one["contact_id"] == contact["id"]) for one in orders],
        "consents": await office.consents(contact["id"]),
    }


@pytest.mark.parametrize("seed", range(3))
async def test_each_three_times_and_shuffled_ends_in_the_same_state(office: Office, seed: int) -> None:
    shop = await office.shop()
    sent = [(topic, payload, str(uuid.uuid4())) for topic, payload in _story()]
    times = [*sent, *sent, *((topic, payload, str(uuid.uuid4())) for topic, payload, _ in sent)]
    random.Random(seed).shuffle(times)
    await asyncio.gather(*(shop.shopify(topic, payload, event_id=event_id) for topic, payload, event_id in times))
    deliveries = await office.ended(shop)
    assert {one["status"] for one in deliveries} <= {"done", "ignored"}, deliveries
    assert len(deliveries) == 2 * len(sent)  # the event's id tells that one of them has come before
    assert await _end_state(office) == {
        "name": "Robert Norman",
        "emails": ["robert@example.com"],
        "phones": ["+15026251199"],
        "external_ids": {"shopify": "7"},
        "orders": [("#450", "paid", True), ("#451", "cancelled", True)],
        "consents": {"email": "withdrawn"},
    }


async def test_a_guest_s_many_orders_of_one_moment_make_one_contact(office: Office) -> None:
    shop = await office.shop("woocommerce")
    await asyncio.gather(
        *(shop.woocommerce("order.created", woocommerce_order(700 + n, 0, "xiaomei@example.com")) for n in range(12))
    )
    deliveries = await office.ended(shop)
    assert {one["status"] for one in deliveries} == {"done"}, deliveries
    contact = await office.only("/v1/contacts")
    assert (contact["full_name"], contact["phones"][0]["number"]) == ("欧阳晓梅", "+8613800138000")
    orders = (await office.client.get("/v1/orders")).json()["data"]
    assert {one["contact_id"] for one in orders} == {contact["id"]}
    assert len(orders) == 12
    assert orders[0]["lines"][0]["name"] == "Tea – green"
