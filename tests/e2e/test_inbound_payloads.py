"""The payloads of Shopify's and WooCommerce's own documents, each three times and in any order: one customer, one end state.

They lie beside the checkout. What is not in them is made of them, as the shops' documents say: a box that was ticked later, the refund
within WooCommerce's order. Their privacy topics are in none of them (`test_inbound.py` has these).
"""

import asyncio
import json
import random
import re
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from crm_testkit.shops import Shop, as_sent, shopify_headers, woocommerce_headers
from crm_testkit.whole_stack import Relata, differences

Json = dict[str, Any]
_DATA = Path(__file__).parents[3] / "shared" / "data"
_SHUFFLES = 4
_UNKNOWN = {"order_transactions/create", "fulfillments/create"}
"""Topics for which there is no ready mapping: they are parked, and spoil nothing."""

_ID = re.compile(r"\b([a-z_]+)_[0-9a-hjkmnp-tv-z]{26}\b")
_TIME = re.compile(r"20\d\d-\d\d-\d\dT[0-9:.]+Z")

pytestmark = pytest.mark.skipif(not _DATA.is_dir(), reason="there is no ../shared/data beside this checkout")


class Told(NamedTuple):
    """`at`: when it was triggered, by the shop's clock."""

    topic: str
    payload: Json
    at: str = ""


def _read(name: str) -> Any:
    return json.loads((_DATA / name).read_text(encoding="utf-8"))


def _shopify() -> list[Told]:
    """The later order is an example of a list's, which leaves out what a webhook has: the lines."""
    [early], customer = _read("shopify/customers_search.json")["customers"], _read("shopify/customer.json")["customer"]
    [checkout] = _read("shopify/checkouts.json")["checkouts"]
    order = _read("shopify/order.json")["order"]
    later = {**order, **_read("shopify/orders.json")["orders"][0]}
    ticked = {"accepts_marketing": True, "phone": later["customer"]["phone"], "updated_at": "2022-01-01T00:00:00Z"}
    return [
        Told("customers/create", early, "2014-01-20T22:25:18Z"),
        Told("customers/update", customer, "2015-05-27T22:11:24Z"),
        Told("checkouts/create", checkout, "2012-10-12T11:05:27Z"),
        Told("orders/create", order, "2008-01-10T16:00:00Z"),
        Told("order_transactions/create", _read("shopify/transaction.json")["transaction"], "2005-08-01T15:57:11Z"),
        Told("fulfillments/create", _read("shopify/fulfillment.json")["fulfillment"], "2013-11-01T20:06:08Z"),
        Told("orders/updated", later, "2016-06-20T17:35:07Z"),
        Told("refunds/create", _read("shopify/refund.json")["refund"], "2016-06-20T17:35:06Z"),
        Told("products/update", _read("shopify/product.json")["product"], "2011-10-20T18:05:13Z"),
        Told("customers/update", {**customer, **ticked}, "2022-01-01T00:00:00Z"),
    ]


def _woocommerce() -> list[Told]:
    """A refund is told within its order, as `{"id", "reason", "total": "-10.00"}`."""
    customers, orders, products = (_read(f"woocommerce/{name}.json") for name in ("customers", "orders", "products"))
    [refund] = _read("woocommerce/order-refunds.json")
    told = {"id": refund["id"], "reason": refund["reason"], "total": f"-{refund['amount']}"}
    refunded = {**orders[1], "date_modified_gmt": "2017-03-23T08:00:00", "refunds": [told]}
    created, updated = _read("woocommerce/coupons.json")
    return [
        Told("customer.created", customers[0]),
        Told("order.created", orders[0]),
        Told("customer.updated", customers[1]),
        Told("order.updated", orders[1]),
        Told("order.updated", refunded),
        *(Told("product.created", one) for one in products[:2]),
        Told("product.updated", products[2]),
        Told("coupon.created", created),
        Told("coupon.updated", updated),
    ]


def _requests(kind: str, secret: str, told: list[Told]) -> list[tuple[bytes, dict[str, str]]]:
    """Each as it is sent three times: twice to one subscription, once to another."""
    found = []
    for topic, payload, at in told:
        body = as_sent(payload)
        if kind == "shopify":
            once, other = (shopify_headers(secret, topic, body, str(uuid.uuid4()), at) for _ in range(2))
        else:
            once, other = (woocommerce_headers(secret, topic, body, webhook_id) for webhook_id in (7, 8))
        found += [(body, headers) for headers in (once, once, other)]
    return found


async def _ended(client: httpx.AsyncClient) -> list[Json]:
    async with asyncio.timeout(120):
        while True:
            found = (await client.get("/v1/inbound-deliveries", params={"limit": 200})).json()["data"]
            if all(one["due_at"] is None for one in found):
                return list(found)
            await asyncio.sleep(0.2)


async def _all(client: httpx.AsyncClient, path: str) -> list[Json]:
    return list((await client.get(path, params={"limit": 200})).json()["data"])


def _comparable(part: Any, began: str) -> Any:
    """Without what differs whatever is done twice: ids that are made anew, our own clock, and how often a record was written."""
    if isinstance(part, dict):
        kept = {name: value for name, value in part.items() if name not in ("version", "sources", "as_of")}
        return {name: _comparable(value, began) for name, value in kept.items()}
    if isinstance(part, list):
        # What stands in the order of our clock, such as a timeline, does so in no order that could be compared.
        return sorted((_comparable(each, began) for each in part), key=lambda each: json.dumps(each, sort_keys=True))
    if isinstance(part, str):
        return _TIME.sub(lambda at: "now" if at[0] >= began else at[0], _ID.sub(r"\1", part))
    return part


async def _end_state(relata: Relata, kind: str, sent: list[Told], seed: int | None) -> Json:
    """Of a tenant of its own, whose shop has sent all of it; in its order where there is no seed."""
    began = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M")
    key = await relata.new_tenant_key(f"{kind} {seed}", region="US")
    async with relata.client_of(key) as client, httpx.AsyncClient(base_url=relata.gateway_url, timeout=60) as sender:
        answer = await client.post("/v1/inbound-sources", json={"name": "Shop", "kind": kind, "currency": "USD"})
        shop = Shop(sender, answer.json())
        requests = _requests(kind, shop.secret, sent)
        if seed is not None:
            random.Random(seed).shuffle(requests)
        for body, headers in requests:
            assert (await shop.post(body, headers)).status_code == 200
        deliveries = await _ended(client)
        assert len(deliveries) == len(sent) * 2
        parked = [one for one in deliveries if one["status"] == "parked"]
        assert {one["topic"] for one in parked} <= _UNKNOWN, parked
        assert {one["reason"] for one in parked} <= {"no_mapping"}, parked
        [contact] = await _all(client, "/v1/contacts")
        async with asyncio.timeout(60):
            while True:
                view = (await client.get(f"/v1/customers/{contact['id']}")).json()
                live = (await client.get(f"/v1/customers/{contact['id']}", params={"consistency": "live"})).json()
                if not differences(view, live):
                    break
                await asyncio.sleep(0.2)
        state = {
            "view": view,
            **{name: await _all(client, f"/v1/{name}") for name in ("orders", "products", "activities")},
        }
        return dict(_comparable(state, began))


def _identities(view: Json) -> set[str]:
    return {one["value"] for one in view["identities"]}


async def _same_in_any_order(relata: Relata, kind: str, sent: list[Told]) -> Json:
    in_order = await _end_state(relata, kind, sent, None)
    for seed in range(_SHUFFLES):
        shuffled = await _end_state(relata, kind, sent, seed)
        assert shuffled == in_order, seed
    return in_order


async def test_what_shopify_s_documents_show_ends_in_one_view(on_embedded: Relata) -> None:
    state = await _same_in_any_order(on_embedded, "shopify", _shopify())
    view = state["view"]
    assert (view["profile"]["full_name"], view["profile"]["address"]["city"]) == ("Bob Norman", "Louisville")
    assert _identities(view) == {"bob.norman@hostmail.com", "+16136120707", "207119551"}
    assert view["consents"]["email"]["marketing"] == "granted"
    [order] = view["sales"]["orders"]["recent"]
    assert (order["number"], order["status"], order["total"]["amount"]) == ("#1001", "paid", "598.94")
    assert {line["sku"] for line in order["lines"]} == {"IPOD2008GREEN", "IPOD2008RED", "IPOD2008BLACK"}
    assert order["refunded_total"] == {"amount": "209.00", "currency": "USD"}
    assert view["sales"]["orders"]["total"]["amount"] == "389.94"
    told = {entry["kind"] for entry in view["timeline"]}
    assert {"order.placed", "order.refunded", "consent.granted", "activity.other", "contact.created"} <= told
    assert len(state["products"]) == 4


async def test_what_woocommerce_s_documents_show_ends_in_one_view(on_embedded: Relata) -> None:
    state = await _same_in_any_order(on_embedded, "woocommerce", _woocommerce())
    view = state["view"]
    assert (view["profile"]["full_name"], view["profile"]["address"]["city"]) == ("James Doe", "San Francisco")
    assert _identities(view) == {"john.doe@example.com", "25"}
    assert view["consents"]["email"]["marketing"] == "none"  # its payloads say nothing of it
    [order] = view["sales"]["orders"]["recent"]
    assert (order["number"], order["status"], order["total"]["amount"]) == ("727", "completed", "29.35")
    assert order["refunded_total"] == {"amount": "10.00", "currency": "USD"}
    assert {line["name"] for line in order["lines"]} == {
        "Woo Single #1",
        "Ship Your Idea – Color: Black, Size: M Test",  # as their shop writes it
    }
    prices = {one["external_id"]: one["unit_price"] for one in state["products"]}
    assert prices == {"794": {"amount": "24.54", "currency": "USD"}, "799": None}
