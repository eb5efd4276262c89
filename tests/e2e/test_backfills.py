"""What a shop has becomes persons and orders by the path of its webhooks: once whatever dies, and in one state in whatever order."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from crm_testkit.jobs import ended
from crm_testkit.shop_server import ShopServer, running_shop
from crm_testkit.shops import Shop, ShopifyCustomer, shopify_order, woocommerce_customer, woocommerce_order
from crm_testkit.stand_in import Reply
from crm_testkit.webhooks import until
from crm_testkit.whole_stack import Relata

pytestmark = pytest.mark.long

Json = dict[str, Any]
SOURCES = "/v1/inbound-sources"
_ORDERS = 330
_PERSONS = 15


class Office:
    """A tenant; `sender` has no key."""

    def __init__(self, relata: Relata, client: httpx.AsyncClient, sender: httpx.AsyncClient) -> None:
        self.relata, self.client, self.sender = relata, client, sender

    async def source(self, server: ShopServer, **more: Any) -> Shop:
        body = {"name": "Shop", "kind": server.kind, "pull": server.pull, **more}
        answer = await self.client.post(SOURCES, json=body)
        assert answer.status_code == 201, answer.text
        return Shop(self.sender, answer.json())

    async def start(self, shop: Shop, **body: Any) -> str:
        """The run's path."""
        path = f"{SOURCES}/{shop.source['id']}/backfills"
        answer = await self.client.post(path, json=body)
        assert answer.status_code == 201, answer.text
        return f"{path}/{answer.json()['id']}"

    async def walk(self, path: str, **params: Any) -> list[Json]:
        found: list[Json] = []
        cursor: str | None = ""
        while cursor is not None:
            asked = {"limit": 200, **params, **({"cursor": cursor} if cursor else {})}
            page = (await self.client.get(path, params=asked)).json()
            found += page["data"]
            cursor = page["next_cursor"]
        return found

    async def state(self) -> Json:
        """What stands here of persons and orders, without ids and versions."""
        contacts = {one["id"]: one for one in await self.walk("/v1/contacts")}
        return {
            "contacts": sorted(
                (one["full_name"], sorted(each["address"] for each in one["emails"]), one["external_ids"].get("shop"))
                for one in contacts.values()
            ),
            "orders": sorted(
                (
                    one["external_id"], one["status"], one["total"]["amount"], contacts[one["contact_id"]]["full_name"],
                    sorted((each["external_id"], each["at"]) for each in one["refunds"]),
                )
                for one in await self.walk("/v1/orders")
            ),
        }  # fmt: skip


@pytest_asyncio.fixture
async def office(on_embedded: Relata) -> AsyncIterator[Office]:
    key = await on_embedded.new_tenant_key("Backfills")
    async with (
        on_embedded.client_of(key) as client,
        httpx.AsyncClient(base_url=on_embedded.gateway_url, timeout=60) as sender,
    ):
        yield Office(on_embedded, client, sender)


async def _insist(client: httpx.AsyncClient, path: str) -> Json:
    """While the gateway dies and comes again."""
    async with asyncio.timeout(240):
        while True:
            try:
                answer = await client.get(path)
                if answer.status_code == 200 and answer.json()["status"] not in ("pending", "running"):
                    return dict(answer.json())
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.2)


async def test_killed_again_and_again_it_takes_each_record_in_once(office: Office) -> None:
    async with running_shop("woocommerce") as server:
        server.put("customers", *(woocommerce_customer(n, f"c{n}@example.com") for n in range(1, _PERSONS + 1)))
        server.put("orders", *(
            woocommerce_order(n, 1 + n % _PERSONS, f"c{1 + n % _PERSONS}@example.com") for n in range(1, _ORDERS + 1)
        ))  # fmt: skip
        for order in server.records["orders"].values():
            order["billing"]["phone"] = ""
        deaths = 0

        def die(_resource: str, page: int) -> None:
            nonlocal deaths
            if page in (2, 4, 6):  # while it waits for the page
                deaths += 1
                office.relata.stack.kill("gateway")

        server.before_page = die
        shop = await office.source(server)
        run = await _insist(office.client, await office.start(shop))
        assert (run["status"], run["outcomes"]) == ("succeeded", {"done": _PERSONS + _ORDERS}), run
        assert deaths == 3
        assert {one["resource"]: one["records"] for one in run["resources"]} == {
            "customers": _PERSONS, "products": 0, "orders": _ORDERS
        }  # fmt: skip
        orders = await office.walk("/v1/orders")
        assert sorted(int(one["external_id"]) for one in orders) == list(range(1, _ORDERS + 1))
        contacts = {one["id"]: one for one in await office.walk("/v1/contacts")}
        assert len(contacts) == _PERSONS
        assert all(
            contacts[one["contact_id"]]["external_ids"]["woocommerce"] == str(1 + int(one["external_id"]) % _PERSONS)
            for one in orders
        )


def _versions() -> tuple[list[tuple[str, Json]], Json, Json]:
    """What is told by webhooks, in its order, and what stands at the shop at the end."""
    early = ShopifyCustomer(7, "bob@example.com").payload()
    later = ShopifyCustomer(7, "robert@example.com", first_name="Robert", updated_at="2026-05-03T10:00:00Z").payload()
    refund = {
        "id": 5, "order_id": 451, "note": "damaged", "created_at": "2026-05-05T00:00:00Z",
        "transactions": [{"kind": "refund", "status": "success", "amount": "9.00", "currency": "USD"}],
    }  # fmt: skip
    paid = shopify_order(450, later, financial_status="paid", updated_at="2026-05-04T00:00:00Z")
    refunded = shopify_order(451, later, refunds=[refund], updated_at="2026-05-05T00:00:00Z")
    told = [
        ("customers/create", early),
        ("orders/create", shopify_order(450, early)),
        ("orders/create", shopify_order(451, early)),
        ("customers/update", later),
        ("orders/paid", paid),
        ("refunds/create", refund),
    ]
    return told, later, {450: paid, 451: refunded}


async def _ended_state(relata: Relata, seed: int) -> Json:
    drawn = random.Random(seed)
    told, customer, orders = _versions()
    key = await relata.new_tenant_key("Any order")
    async with (
        relata.client_of(key) as client,
        httpx.AsyncClient(base_url=relata.gateway_url, timeout=60) as sender,
        running_shop("shopify") as server,
    ):
        office = Office(relata, client, sender)
        shop = await office.source(server, system="shop")
        server.put("customers", customer)
        server.put("orders", *orders.values())
        sent = [one for one in told if seed == 0 or drawn.random() < 0.8]
        drawn.shuffle(sent)
        before = drawn.randint(0, len(sent)) if seed else len(sent)
        for topic, payload in sent[:before]:
            assert (await shop.shopify(topic, payload)).status_code == 200
        path = await office.start(shop)
        for topic, payload in sent[before:]:
            assert (await shop.shopify(topic, payload)).status_code == 200
        assert (await ended(client, path))["status"] == "succeeded"

        async def is_quiet() -> bool:
            deliveries = await office.walk("/v1/inbound-deliveries", source_id=shop.source["id"])
            return all(one["due_at"] is None for one in deliveries)

        await until(is_quiet, 60)
        assert {one["status"] for one in await office.walk("/v1/inbound-deliveries")} <= {"done", "ignored"}
        return await office.state()


async def test_beside_webhooks_in_any_order_it_ends_in_one_state(on_embedded: Relata) -> None:
    states = [await _ended_state(on_embedded, seed) for seed in range(5)]
    assert states[0]["contacts"] == [("Robert Norman", ["robert@example.com"], "7")]
    assert [one[:3] for one in states[0]["orders"]] == [("450", "paid", "409.94"), ("451", "pending", "409.94")]
    assert all(state == states[0] for state in states)


async def test_a_refund_has_the_time_at_which_it_was_given_back(office: Office) -> None:
    """The order that a webhook brings does not say it; what it says instead gives way, whichever comes first."""
    order = woocommerce_order(
        1, 0, "a@example.com", refunds=[{"id": 9, "reason": "damaged", "total": "-9.00"}],
        date_modified_gmt="2026-06-01T00:00:00",
    )  # fmt: skip
    async with running_shop("woocommerce") as server:
        server.put("orders", order)
        server.refunds[1] = [
            {"id": 9, "date_created_gmt": "2026-05-04T08:00:00", "amount": "9.00", "reason": "damaged"}
        ]
        shop = await office.source(server)

        async def refunds() -> list[str]:
            orders = await office.walk("/v1/orders")
            return [each["at"] for one in orders for each in one["refunds"]]

        await shop.woocommerce("order.updated", order)

        async def is_there() -> bool:
            return await refunds() == ["2026-06-01T00:00:00Z"]

        await until(is_there, 60)
        assert (await ended(office.client, await office.start(shop)))["status"] == "succeeded"
        assert await refunds() == ["2026-05-04T08:00:00Z"]
        await shop.woocommerce("order.updated", {**order, "date_modified_gmt": "2026-07-01T00:00:00"})
        assert (await ended(office.client, await office.start(shop)))["status"] == "succeeded"
        assert await refunds() == ["2026-05-04T08:00:00Z"]


async def test_who_was_erased_is_not_made_again_of_what_was_there_before(office: Office) -> None:
    async with running_shop("shopify") as server:
        mei = ShopifyCustomer(7, "mei@example.com", consent=("subscribed", "2026-04-01T00:00:00Z")).payload()
        server.put("customers", mei)
        server.put("orders", shopify_order(450, mei))
        shop = await office.source(server)
        assert (await ended(office.client, await office.start(shop)))["status"] == "succeeded"
        [contact] = await office.walk("/v1/contacts")
        asked = {"kind": "erasure", "contact_id": contact["id"], "reason": "DSR-1"}
        request = (await office.client.post("/v1/privacy-requests", json=asked)).json()
        await ended(office.client, f"/v1/privacy-requests/{request['id']}")
        again = await ended(office.client, await office.start(shop))
        assert (again["status"], again["outcomes"]) == ("succeeded", {"done": 2}), again
        assert await office.walk("/v1/contacts") == []
        for one in await office.walk("/v1/inbound-deliveries", backfill_id=again["id"]):
            assert "erased" in {ref["outcome"] for ref in one["refs"]}
            gone = await office.client.get(f"/v1/inbound-deliveries/{one['id']}/payload")
            assert (gone.status_code, gone.json()["code"]) == (404, "payload_gone")
        server.put(
            "orders",
            shopify_order(451, {**mei, "updated_at": "2090-01-01T00:00:00Z"}, updated_at="2090-01-01T00:00:00Z"),
        )
        assert (await ended(office.client, await office.start(shop, resources=["orders"])))["status"] == "succeeded"
        assert len(await office.walk("/v1/contacts")) == 1, "who buys again has come back"


@pytest.mark.parametrize("status", [500, 429])
async def test_a_job_tells_how_far_it_is_and_is_cancelled(office: Office, status: int) -> None:
    async with running_shop("shopify") as server:
        server.put("customers", *(ShopifyCustomer(n, f"c{n}@example.com").payload() for n in range(1, 8)))
        server.before_page = lambda resource, _page: server.faults.extend(
            [Reply(status, {"Retry-After": "300"}, b"{}")] if resource == "products" else []
        )
        shop = await office.source(server)
        path = await office.start(shop)

        async def is_held_up() -> bool:
            return bool((await office.client.get(path)).json()["trouble"])

        await until(is_held_up, 60)
        run = (await office.client.get(path)).json()
        job = (await office.client.get(f"/v1/jobs/{run['job_id']}")).json()
        assert (job["status"], job["progress"]["done"], job["about"]["id"]) == ("running", 7, run["id"])
        assert (await office.client.post(f"/v1/jobs/{run['job_id']}/cancel")).json()["status"] == "cancelled"
        assert (await office.client.get(path)).json()["status"] == "cancelled"
