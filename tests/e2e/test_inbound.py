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


def erp_batch(*customers: Json, **more: Any) -> Json:
    return {"customers": list(customers), **more}


async def test_an_erp_s_batch_refers_to_what_is_in_it_and_one_bad_row_spoils_no_other(office: Office) -> None:
    erp = await office.shop("erp", currency="CNY")
    await erp.standard(
        {
            "accounts": [{"id": "A-1", "name": "杭州云帆科技有限公司", "domain": "yunfan.example.com"}],
            "customers": [
                {"id": f"C-{n}", "name": f"客户 {n}", "account_id": "A-1", "email": f"c{n}@example.com"} for n in range(30)
            ],
            "orders": [
                {"id": "O-1", "number": "SO-1", "customer_id": "C-3", "account_id": "A-1", "status": "paid",
                 "total": "100.00", "placed_at": "2026-05-01T00:00:00Z", "updated_at": "2026-05-01T00:00:00Z"},
                {"id": "O-2", "number": "SO-2", "customer_id": "C-4", "status": "no such status", "total": "1.00"},
                {"id": "O-3", "number": "SO-3", "customer_id": "C-5", "total": 12.5,
                 "lines": [{"name": "Cup", "quantity": 1, "unit_price": 12.5}]},
            ],
        }
    )  # fmt: skip
    [delivery] = await office.ended(erp)
    assert (delivery["status"], delivery["reason"]) == ("parked", "validation_failed"), delivery
    assert len(delivery["faults"]) == 1, delivery["faults"]
    [fault] = delivery["faults"]
    assert (fault["resource"], fault["external_id"], fault["pointers"]) == ("orders", "O-2", ["/status"])
    account = await office.only("/v1/accounts")
    contacts = (await office.client.get("/v1/contacts", params={"account_id": account["id"]})).json()["data"]
    assert len(contacts) == 30
    order = await office.only("/v1/orders", external_id="O-1")
    assert (order["account_id"], order["source"], order["total"]["currency"]) == (account["id"], "erp", "CNY")
    assert order["contact_id"] == next(one["id"] for one in contacts if one["external_ids"] == {"erp": "C-3"})
    assert (await office.only("/v1/orders", external_id="O-3"))["lines"][0]["unit_price"]["amount"] == "12.5"


async def test_what_refers_to_something_that_comes_later_waits_for_it(office: Office) -> None:
    shop = await office.shop()
    order = {"id": 450, "name": "#450", "currency": "USD", "total_price": "1.00", "updated_at": "2026-05-02T11:00:00Z"}
    mappings = {
        "orders/tagged": {
            "steps": [
                {"resource": "orders", "method": "update", "external_id": "to_string(id)", "set": {"tags": "tags"}}
            ]
        }
    }
    path = f"{SOURCES}/{shop.source['id']}"
    assert (await office.client.patch(path, json={"mappings": mappings})).status_code == 200
    await shop.shopify("orders/tagged", {"id": 450, "tags": ["late"]})
    await asyncio.sleep(1)
    await shop.shopify("orders/create", order)
    deliveries = await office.ended(shop)
    assert {one["status"] for one in deliveries} == {"done"}, deliveries
    assert (await office.only("/v1/orders"))["tags"] == ["late"]


async def test_parked_for_want_of_a_mapping_and_run_anew_once_there_is_one(office: Office) -> None:
    shop = await office.shop("generic", topic_expression="event")
    for n in range(3):
        await shop.standard({"event": "lead.made", "lead": {"key": n, "mail": f"lead{n}@example.com", "who": "王伟"}})
    deliveries = await office.ended(shop)
    assert {(one["status"], one["reason"], one["topic"]) for one in deliveries} == {
        ("parked", "no_mapping", "lead.made")
    }
    step = {
        "resource": "contacts",
        "external_id": "to_string(lead.key)",
        "set": {"full_name": "lead.who", "emails": "[{address: email(lead.mail)}]"},
    }
    path = f"{SOURCES}/{shop.source['id']}"
    sample = {"payload": {"event": "lead.made", "lead": {"key": 7, "mail": "x@example.com"}}}
    nothing = (await office.client.post(f"{path}/preview", json=sample)).json()
    assert (nothing["topic"], nothing["reason"]) == ("lead.made", "no_mapping")
    assert (await office.client.patch(path, json={"mappings": {"lead.made": {"steps": [step]}}})).status_code == 200
    [planned] = (await office.client.post(f"{path}/preview", json=sample)).json()["records"]
    assert (planned["external_id"], planned["data"]["emails"]) == ("7", [{"address": "x@example.com"}])
    assert (await office.client.get("/v1/contacts")).json()["data"] == []
    which = {"source_id": shop.source["id"], "reason": "no_mapping"}
    assert (await office.client.post(f"{DELIVERIES}/rerun", json=which)).json() == {"count": 3}
    deliveries = await office.ended(shop)
    assert {(one["status"], one["runs"]) for one in deliveries} == {("done", 1)}, deliveries
    assert len((await office.client.get("/v1/contacts")).json()["data"]) == 3
    again = await office.client.post(f"{DELIVERIES}/{deliveries[0]['id']}/rerun")
    assert again.status_code == 200
    assert {one["status"] for one in await office.ended(shop)} <= {"done", "ignored"}
    assert len((await office.client.get("/v1/contacts")).json()["data"]) == 3


async def test_the_erp_owns_the_credit_limit_and_relata_the_title(office: Office) -> None:
    record = {"owns": {"contacts": ["custom.credit_limit"]}, "yields": {"contacts": ["title"]}}
    erp = await office.shop("erp", system_of_record=record)
    shop = await office.shop(
        "generic", topic_header="x-topic",
        mappings={"*": {"steps": [{"resource": "contacts", "external_id": "id", "set": {
            "emails": "[{address: email}]", "custom": {"credit_limit": "limit"}}}]}},
    )  # fmt: skip
    customer = {
        "id": "C-1",
        "email": "wei@example.com",
        "name": "王伟",
        "title": "Buyer",
        "custom": {"credit_limit": 500},
    }
    await erp.standard(erp_batch({**customer, "updated_at": "2026-05-01T00:00:00Z"}))
    await office.ended(erp)
    contact = await office.only("/v1/contacts")
    assert (contact["custom"], contact["title"]) == ({"credit_limit": 500}, None)  # yielded: it is never written
    answer = await office.client.patch(
        f"/v1/contacts/{contact['id']}",
        json={"custom": {"credit_limit": 900}, "title": "采购总监", "full_name": "王大伟"},
    )
    assert answer.status_code == 200
    for _ in range(2):  # the second says nothing new
        body = {
            **customer,
            "updated_at": "2026-05-02T00:00:00Z",
            "custom": {"credit_limit": 600},
            "title": "Head",
            "name": "王小伟",
        }
        await erp.standard(erp_batch(body, sent=str(uuid.uuid4())))
    await shop.standard({"id": "S-1", "email": "wei@example.com", "limit": 1})
    assert {one["status"] for one in [*await office.ended(erp), *await office.ended(shop)]} == {"done"}
    contact = await office.only("/v1/contacts")
    assert (contact["custom"], contact["title"], contact["full_name"]) == ({"credit_limit": 600}, "采购总监", "王大伟")
    conflicts = (await office.client.get("/v1/sync-conflicts")).json()["data"]
    told = sorted((one["member"], one["theirs"], one["ours"], one["winner"], one["reason"]) for one in conflicts)
    assert told == [
        ("custom.credit_limit", 1, 600, "relata", "owned_by_another"),
        ("custom.credit_limit", 600, 900, "source", "owned"),
        ("full_name", "王小伟", "王大伟", "relata", "changed_here"),
        ("title", "Head", "采购总监", "relata", "yielded"),
    ]
    assert {one["contact_id"] for one in conflicts} == {contact["id"]}


async def test_several_persons_whom_a_guest_could_be_are_left_to_somebody(office: Office) -> None:
    same = {"emails": [{"address": "family@example.com"}]}
    ids = {(await office.client.post("/v1/contacts", json=same)).json()["id"] for _ in range(2)}
    shop = await office.shop("woocommerce")
    await shop.woocommerce("order.created", woocommerce_order(1, 0, "family@example.com"))
    [delivery] = await office.ended(shop)
    assert (delivery["status"], delivery["reason"]) == ("parked", "ambiguous_person")
    assert set(delivery["faults"][0]["candidates"]) == ids
    order = await office.only("/v1/orders")  # the sale is told, and whose it is once that is decided
    assert order["contact_id"] is None
    path = f"{SOURCES}/{shop.source['id']}"
    assert (await office.client.patch(path, json={"on_ambiguous": "newest"})).status_code == 200
    assert (await office.client.post(f"{DELIVERIES}/{delivery['id']}/rerun")).status_code == 200
    [delivery] = await office.ended(shop)
    assert delivery["status"] == "done", delivery
    assert (await office.only("/v1/orders"))["contact_id"] == max(ids)


async def test_shopify_s_privacy_topics_become_requests(office: Office) -> None:
    shop = await office.shop()
    bob = ShopifyCustomer(9, "bob@example.com")
    await shop.shopify("customers/create", bob.payload())
    await office.ended(shop)
    contact = await office.only("/v1/contacts")
    asked = {"shop_id": 1, "customer": {"id": 9, "email": "bob@example.com", "phone": None}}
    await shop.shopify("customers/data_request", {**asked, "data_request": {"id": 9999}})
    await office.ended(shop)
    request = await office.only("/v1/privacy-requests")
    assert (request["kind"], request["contact_id"], request["reason"]) == (
        "export", contact["id"], "shopify customers/data_request 9999",
    )  # fmt: skip
    await shop.shopify("customers/redact", {**asked, "orders_to_redact": []})
    await shop.shopify("shop/redact", {"shop_id": 1, "shop_domain": "west-lake.myshopify.com"})
    async with asyncio.timeout(60):
        while (await office.client.get(f"/v1/contacts/{contact['id']}")).status_code != 410:
            await asyncio.sleep(0.1)
    deliveries = {one["topic"]: one for one in await office.ended(shop)}
    assert deliveries["shop/redact"]["reason"] == "decision_needed"
    kinds = {one["kind"] for one in (await office.client.get("/v1/privacy-requests")).json()["data"]}
    assert kinds == {"export", "erasure"}
