"""The customer view through the public door: events in by the log, documents out by HTTP."""

import asyncio
import time
from typing import Any

import httpx
import jsonschema  # type: ignore[import-untyped]  # it has no types
import pytest
from crm_contracts.ids import new_id
from crm_testkit.customer_world import moment, money, stay
from gateway.features.customers.compose import Facts, compose

Stack = Any
"""The fixture of conftest.py, whose class cannot be imported from there."""

DETAILS = ("version", "as_of", "sources", "degraded")


def content(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in DETAILS}


async def a_customer(stack: Stack) -> tuple[Any, Any, dict[str, Any], dict[str, Any]]:
    """A tenant with one contact of one account who has bought, asked and consented."""
    tenant, world = stack.tenant()
    account = world.create("account", name="杭州云帆科技有限公司", domain="yunfan.example.com")
    contact = world.create(
        "contact",
        full_name="欧阳晓梅",
        emails=[{"address": "Xiaomei@example.com", "primary": True, "verified": False}],
        phones=[{"number": "+8613800138000", "label": None}],
        wechat="ouyang_xm",
        external_ids={"shopify": "1042"},
        account_id=account["id"],
        tags=["vip"],
    )
    whose = {"contact_id": contact["id"]}
    world.create("deal", name="年度框架", amount=money("128000.00"), stage_history=[stay("open", moment(3))], **whose)
    world.create("deal", name="Pilot", amount=money("900", "EUR"), stage_history=[stay("open", moment(3))], **whose)
    world.create("order", number="SO-1", total=money("1999.00"), placed_at=moment(-5), **whose)
    world.create("order", number="SO-2", total=money("10"), status="draft", placed_at=moment(-4), **whose)
    world.create("order", number="SO-3", total=money("500.00"), refunded_total=money("120.00"), placed_at=moment(-3), refunds=[
        {"external_id": "r1", "amount": money("120.00"), "reason": "破损", "at": moment(-2)}], **whose)  # fmt: skip
    for number, due_at in enumerate([None, "2026-10-31", "2026-09-30"]):
        world.create(
            "invoice", number=f"INV-{number}", due_at=due_at, overdue=number == 2, amount_due=money("99.00"), **whose
        )
    world.create("invoice", number="INV-9", status="paid", due_at="2026-01-31", amount_due=money("0.00"), **whose)
    world.create("payment", amount=money("1900.00"), reference="RF18", **whose)
    world.create("payment", amount=money("5.00"), kind="refund", paid_at=None, method=None, **whose)
    ticket = world.create("ticket", subject="无法登录", **whose)
    world.create("ticket_message", ticket_id=ticket["id"], author={"kind": "contact", "id": contact["id"]}, **whose)
    world.create("consent", **whose)
    world.create("activity", **whose)
    world.create("message", status="sent", sent_at=moment(90), unsubscribed_at=moment(100), subject="秋季上新", **whose)
    world.create("segment_member", **whose)
    await stack.publish(world)
    return tenant, world, contact, account


async def read(tenant: Any, customer_id: str, **params: str) -> httpx.Response:
    response: httpx.Response = await tenant.client.get(f"/v1/customers/{customer_id}", params=params)
    return response


async def projected(tenant: Any, world: Any, customer_id: str, eventually: Any) -> dict[str, Any]:
    """The materialised view once it says what the world says."""
    facts: Any = world.facts(customer_id)
    wanted = compose(Facts(**facts))

    async def same() -> dict[str, Any] | None:
        response = await read(tenant, customer_id)
        return response.json() if response.status_code == 200 and content(response.json()) == wanted else None

    view: dict[str, Any] = await eventually(same)
    return view


async def test_a_contact_is_shown_whole(stack: Stack, eventually: Any) -> None:
    tenant, world, contact, account = await a_customer(stack)
    view = await projected(tenant, world, contact["id"], eventually)
    assert (view["kind"], view["profile"]["full_name"], view["account"]) == ("contact", "欧阳晓梅", account)
    assert view["tags"] == ["vip"]
    assert {identity["type"] for identity in view["identities"]} == {"email", "phone", "wechat", "external_id"}
    assert view["consents"]["email"] == {"marketing": "granted"}
    assert view["sales"]["open_value"] == {
        **money("128000.00"),
        "by_currency": [money("128000.00"), money("900.00", "EUR")],
    }
    assert view["sales"]["won_value"] is None
    orders = view["sales"]["orders"]
    assert (orders["count"], orders["total"]["amount"], len(orders["recent"])) == (2, "2379.00", 3)
    assert orders["recent"][0]["refunds"][0]["reason"] == "破损"
    due = view["sales"]["invoices_due"]
    assert (due["count"], due["overdue"], due["total"]["amount"]) == (3, 1, "297.00")
    assert [(one["number"], one["due_at"], one["overdue"]) for one in due["next"]] == [
        ("INV-2", "2026-09-30", True),
        ("INV-1", "2026-10-31", False),
        ("INV-0", None, False),
    ]
    told = {entry["kind"]: entry["title"] for entry in view["timeline"]}
    assert told["order.refunded"] == "SO-3 · 120.00 CNY"
    assert told["invoice.issued"].startswith("INV-")
    assert told["payment.succeeded"] == "1900.00 CNY · card · RF18"
    assert told["payment.refund_succeeded"] == "5.00 CNY"
    assert view["support"]["counts"] == {"new": 1}
    assert [entry["kind"] for entry in view["timeline"]][:2] == ["message.unsubscribed", "message.sent"]
    assert {"年度框架", "无法登录", "秋季上新"} & {entry["title"] for entry in view["timeline"]}
    assert view["sources"]["pipeline"]["lag_ms"] >= 0
    assert max(source["as_of"] for source in view["sources"].values()) == view["as_of"]


async def test_an_account_is_a_customer_with_its_contacts(stack: Stack, eventually: Any) -> None:
    tenant, world, contact, account = await a_customer(stack)
    view = await projected(tenant, world, account["id"], eventually)
    assert (view["kind"], view["account"]) == ("account", None)
    assert [one["id"] for one in view["contacts"]] == [contact["id"]]
    assert len(view["sales"]["open_deals"]) == 2
    assert view["consents"] == {}


async def test_facts_that_come_before_their_contact_wait_for_it(stack: Stack, eventually: Any) -> None:
    tenant, world = stack.tenant()
    contact_id = new_id("contact")
    world.create("deal", contact_id=contact_id)
    await stack.publish(world)
    token = {"Consistency-Token": f"{next(iter(world.entities))}@1"}
    response = await tenant.client.get(f"/v1/customers/{contact_id}", headers=token)
    assert response.status_code == 404
    world.create("contact", id=contact_id)
    await stack.publish(world)
    view = await projected(tenant, world, contact_id, eventually)
    assert len(view["sales"]["open_deals"]) == 1


async def test_a_deleted_contact_is_gone_and_its_account_forgets_it(stack: Stack, eventually: Any) -> None:
    tenant, world, contact, account = await a_customer(stack)
    await projected(tenant, world, account["id"], eventually)
    world.delete(contact["id"])
    await stack.publish(world)
    view = await projected(tenant, world, account["id"], eventually)
    assert view["contacts"] == []
    assert (await read(tenant, contact["id"])).status_code == 404
    assert (await tenant.client.get("/v1/customers/lookup", params={"wechat": "ouyang_xm"})).status_code == 404


async def test_another_tenants_customer_is_not_there(stack: Stack, eventually: Any) -> None:
    tenant, world, contact, _ = await a_customer(stack)
    await projected(tenant, world, contact["id"], eventually)
    other, _ = stack.tenant()
    for path in ("", "/timeline"):
        assert (await other.client.get(f"/v1/customers/{contact['id']}{path}")).status_code == 404
    assert (await read(other, contact["id"], consistency="live")).status_code == 404
    assert (await other.client.get("/v1/customers/lookup", params={"phone": "13800138000"})).status_code == 404
    assert (await other.read("/v1/customers"))["data"] == []


async def test_etag_saves_the_second_transfer_and_changes_with_the_view(stack: Stack, eventually: Any) -> None:
    tenant, world, contact, _ = await a_customer(stack)
    view = await projected(tenant, world, contact["id"], eventually)
    path = f"/v1/customers/{contact['id']}"
    assert (await tenant.client.get(path)).headers["ETag"] == f'"{view["version"]}"'
    headers = {"If-None-Match": f'W/"{view["version"]}"'}
    unchanged = await tenant.client.get(path, headers=headers)
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    world.update(contact["id"], title="经理")
    await stack.publish(world)
    assert (await projected(tenant, world, contact["id"], eventually))["version"] > view["version"]
    assert (await tenant.client.get(path, headers=headers)).status_code == 200


async def test_include_and_fields_narrow_and_unknown_names_are_refused(stack: Stack, eventually: Any) -> None:
    tenant, world, contact, _ = await a_customer(stack)
    view = await projected(tenant, world, contact["id"], eventually)
    narrow = (await read(tenant, contact["id"], include="sales,timeline")).json()
    assert narrow == {name: view[name] for name in ("id", "kind", "version", "as_of", "sales", "timeline")}
    some = (await read(tenant, contact["id"], fields="profile.full_name,sales.open_deals.name")).json()
    assert some["profile"] == {"full_name": "欧阳晓梅"}
    assert {"name": "年度框架"} in some["sales"]["open_deals"]
    live = (await read(tenant, contact["id"], include="sales", consistency="live")).json()
    assert live["sales"] == view["sales"]
    for params in ({"include": "sale"}, {"fields": "profile.nonsense"}, {"consistency": "eventual"}, {"as_of": "x"}):
        refused = await read(tenant, contact["id"], **params)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == f"?{next(iter(params))}"
    for path in ("?limit=1", "/lookup?email=xiaomei%40example.com", f"/{contact['id']}/timeline?kinds=deal"):
        assert (await tenant.client.get(f"/v1/customers{path}")).status_code == 200
        refused = await tenant.client.get(f"/v1/customers{path}&statsu=open")
        assert refused.status_code == 422
        assert [each["pointer"] for each in refused.json()["errors"]] == ["?statsu"]


async def test_live_equals_the_view(stack: Stack, eventually: Any) -> None:
    tenant, world, contact, account = await a_customer(stack)
    for customer_id in (contact["id"], account["id"]):
        view = await projected(tenant, world, customer_id, eventually)
        live = (await read(tenant, customer_id, consistency="live")).json()
        assert content(live) == content(view)
        assert "degraded" not in live


@pytest.mark.parametrize("mode", ["down", "nonsense", "slow"])
async def test_a_service_that_fails_is_named_and_its_part_stays_as_last_heard(
    stack: Stack, eventually: Any, mode: str
) -> None:
    tenant, world, contact, account = await a_customer(stack)
    for customer_id in (contact["id"], account["id"]):
        view = await projected(tenant, world, customer_id, eventually)
        world.update(contact["id"], title="not yet in the log")
        pipeline = stack.services["pipeline"]
        pipeline.mode, pipeline.delay = ("up", 30) if mode == "slow" else (mode, 0)
        started = time.monotonic()
        try:
            response = await read(tenant, customer_id, consistency="live")
        finally:
            pipeline.mode, pipeline.delay = "up", 0
        live = response.json()
        assert time.monotonic() - started < 3
        assert (response.status_code, live["degraded"]) == (200, ["pipeline"])
        assert live["sales"] == view["sales"]
        assert live["sources"]["pipeline"]["as_of"] == view["sources"]["pipeline"]["as_of"]
        person = live["profile"] if customer_id == contact["id"] else live["contacts"][0]
        assert person["title"] == "not yet in the log"
        await stack.publish(world)


async def test_without_contacts_svc_the_customer_is_as_last_heard(stack: Stack, eventually: Any) -> None:
    tenant, world, contact, account = await a_customer(stack)
    for customer_id in (contact["id"], account["id"]):
        view = await projected(tenant, world, customer_id, eventually)
        stack.services["contacts"].mode = "down"
        try:
            live = await read(tenant, customer_id, consistency="live")
            unknown = await read(tenant, new_id("contact"), consistency="live")
        finally:
            stack.services["contacts"].mode = "up"
        assert live.json()["degraded"] == ["contacts"]
        assert content(live.json()) == content(view)
        assert unknown.status_code == 503, "whether there is such a customer cannot be said"


async def test_a_consistency_token_waits_for_its_write(stack: Stack, eventually: Any) -> None:
    tenant, world, contact, _ = await a_customer(stack)
    await projected(tenant, world, contact["id"], eventually)
    changed = world.update(contact["id"], title="总监")
    token = {"Consistency-Token": f"{contact['id']}@{changed['version']}, {new_id('tenant')}@1"}
    path = f"/v1/customers/{contact['id']}"
    waiting = asyncio.create_task(tenant.client.get(path, headers=token))
    await asyncio.sleep(0.05)
    await stack.publish(world)
    response = await waiting
    assert response.json()["profile"]["title"] == "总监"
    assert "ETag" in response.headers, "it came from the view"


async def test_a_write_that_does_not_arrive_is_read_live(stack: Stack, eventually: Any) -> None:
    tenant, world, contact, _ = await a_customer(stack)
    await projected(tenant, world, contact["id"], eventually)
    changed = world.update(contact["id"], title="主管")
    token = {"Consistency-Token": f"{contact['id']}@{changed['version']}"}
    response = await tenant.client.get(f"/v1/customers/{contact['id']}", headers=token)
    assert response.json()["profile"]["title"] == "主管"
    assert "ETag" not in response.headers


@pytest.mark.parametrize("token", ["nonsense", "contact_1@2", "@", "", "contact_01jd3zq8w9e2vbx7k5m4n6p8qr@0"])
async def test_a_malformed_consistency_token_is_refused(stack: Stack, token: str) -> None:
    tenant, _ = stack.tenant()
    path = f"/v1/customers/{new_id('contact')}"
    assert (await tenant.client.get(path, headers={"Consistency-Token": token})).status_code == 400


@pytest.mark.parametrize("customer_id", ["nonsense", "deal_01jd3zq8w9e2vbx7k5m4n6p8qr", "contact_%00", "%F0%9F"])
async def test_what_is_no_customers_id_is_not_found(stack: Stack, customer_id: str) -> None:
    tenant, _ = stack.tenant()
    assert (await tenant.client.get(f"/v1/customers/{customer_id}")).status_code == 404


async def test_reading_needs_a_credential_with_the_permission(stack: Stack) -> None:
    path = f"/v1/customers/{new_id('contact')}"
    assert (await stack.gateway.anonymous().get(path)).status_code == 401
    tenant, _ = stack.tenant(scopes=frozenset({"write"}))
    assert (await tenant.client.get(path)).status_code == 403


async def test_lookup_finds_by_whatever_spelling(stack: Stack, eventually: Any) -> None:
    tenant, world, contact, _ = await a_customer(stack)
    await projected(tenant, world, contact["id"], eventually)
    for params in (
        {"email": " XIAOMEI@EXAMPLE.COM"},
        {"phone": "138 0013 8000"},
        {"phone": "+86 138-0013-8000"},
        {"wechat": "ouyang_xm"},
        {"external_id": "shopify:1042"},
    ):
        found = await tenant.client.get("/v1/customers/lookup", params=params)
        assert (found.status_code, found.json()["id"]) == (200, contact["id"]), params
        assert "ETag" in found.headers
    assert (await tenant.client.get("/v1/customers/lookup", params={"email": "n@x.cn"})).status_code == 404
    for faulty in ({}, {"email": "a@b.cn", "phone": "1"}, {"phone": "abc"}, {"external_id": "1042"}, {"email": "\0"}):
        assert (await tenant.client.get("/v1/customers/lookup", params=faulty)).status_code == 422, faulty


async def test_lookup_of_several_names_the_candidates(stack: Stack, eventually: Any) -> None:
    tenant, world = stack.tenant()
    shared = {"phones": [{"number": "+8657188887777", "label": None}]}
    people = [world.create("contact", full_name=name, **shared) for name in ("王伟", "Ann Lee")]
    await stack.publish(world)
    for person in people:
        await projected(tenant, world, person["id"], eventually)
    response = await tenant.client.get("/v1/customers/lookup", params={"phone": "0571-8888 7777"})
    assert (response.status_code, response.json()["code"]) == (409, "several_customers")
    assert response.json()["candidates"] == [
        {"id": person["id"], "kind": "contact", "name": person["full_name"]}
        for person in sorted(people, key=lambda one: one["id"])
    ]


async def test_the_timeline_goes_back_to_the_first_event_in_pages(stack: Stack, eventually: Any) -> None:
    tenant, world, contact, account = await a_customer(stack)
    for minute in range(60):
        world.create("activity", contact_id=contact["id"], at=moment(minute // 3), subject=f"第 {minute} 次")
    await stack.publish(world)
    for customer_id in (contact["id"], account["id"]):
        view = await projected(tenant, world, customer_id, eventually)
        path, entries, cursor = f"/v1/customers/{customer_id}/timeline", [], None
        while True:
            params = {"limit": "17", **({"cursor": cursor} if cursor else {})}
            page = await tenant.read(path, **params)
            entries += page["data"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert entries[:20] == view["timeline"]
        assert len(entries) == len({entry["id"] for entry in entries})
        activities = await tenant.read(path, kinds="activity,deal.created", limit=200)
        assert len(activities["data"]) == 63
        refused = await tenant.client.get(path, params={"cursor": "bm9uc2Vuc2U"})
        assert refused.status_code == 400
    last = entries[-1]
    assert last["at"] <= contact["created_at"]


async def test_customers_are_listed_in_pages(stack: Stack, eventually: Any) -> None:
    tenant, world = stack.tenant()
    ids = sorted(world.create(kind)["id"] for kind in ("contact", "account") * 3)
    await stack.publish(world)
    for one in ids:
        await projected(tenant, world, one, eventually)
    first = await tenant.client.get("/v1/customers", params={"limit": 4})
    assert first.headers["Link"].endswith('rel="next"')
    rest = await tenant.read("/v1/customers", limit=4, cursor=first.json()["next_cursor"])
    assert [item["id"] for item in first.json()["data"] + rest["data"]] == ids
    assert {item["kind"] for item in (await tenant.read("/v1/customers", kind="account"))["data"]} == {"account"}


async def test_a_view_is_only_read(stack: Stack) -> None:
    tenant, _ = stack.tenant()
    response = await tenant.client.delete(f"/v1/customers/{new_id('contact')}")
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")


async def test_answers_are_what_the_openapi_document_says(stack: Stack, eventually: Any) -> None:
    tenant, world, contact, account = await a_customer(stack)
    document = (await stack.gateway.anonymous().get("/openapi.json")).json()

    def check(answer: Any, schema: str) -> None:
        jsonschema.validate(answer, {"$ref": f"#/components/schemas/{schema}", "components": document["components"]})

    for customer_id in (contact["id"], account["id"]):
        check(await projected(tenant, world, customer_id, eventually), "CustomerView")
        check((await read(tenant, customer_id, consistency="live")).json(), "CustomerView")
        check((await read(tenant, customer_id, include="timeline")).json(), "CustomerView")
        check(await tenant.read(f"/v1/customers/{customer_id}/timeline"), "Page_TimelineEntry_")
    check(await tenant.read("/v1/customers"), "CustomerPage")
