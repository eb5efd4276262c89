"""A contact has a tag by a rule while the rule holds, whoever changes what it holds by, and says why."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from crm_contracts.ids import new_id
from crm_contracts.registry import CONTACT, DEAL, ORDER, TICKET
from crm_testkit.service import ServiceUnderTest, Tenant
from crm_testkit.tagged_contacts import cny, days_ago, evaluated, made, patched, person, reasons_of, tell, until_tagged

Later = Callable[[int], Awaitable[None]]
Json = dict[str, Any]

FROM_SHOP = {"field": "source", "op": "eq", "value": "shop"}
HIGH_VALUE = {"field": "orders.total.CNY", "op": "gte", "value": "10000"}
SLEEPING = {
    "all": [
        {"field": "orders.count", "op": "gte", "value": 1},
        {"not": {"field": "orders.last_at", "op": "within_last", "value": "90d"}},
    ]
}
BIRTHDAY = {"field": "birthday", "op": "anniversary_within_next", "value": "7d"}


async def test_it_comes_and_goes_with_what_is_written_in_the_same_answer(tenant: Tenant) -> None:
    await made(tenant, "shop", FROM_SHOP)
    contact = await tenant.create("/v1/contacts", full_name="王伟", source="shop", tags=["own"])
    assert (contact["tags"], contact["version"]) == (["own", "shop"], 1)
    contact = await patched(tenant, contact["id"], source="fair")
    assert (contact["tags"], contact["version"]) == (["own"], 2)
    assert (await patched(tenant, contact["id"], source="shop"))["tags"] == ["own", "shop"]


async def test_what_orders_deals_and_tickets_come_to(service: ServiceUnderTest, tenant: Tenant) -> None:
    told = partial(tell, service, tenant)
    contact_id = await person(tenant)
    rules: dict[str, Json] = {
        "high": HIGH_VALUE,
        "bought": {"field": "orders.count", "op": "eq", "value": 2},
        "euro": {"field": "orders.total.EUR", "op": "gt", "value": 0},
        "new": {"field": "orders.first_at", "op": "within_last", "value": "30d"},
        "talking": {"field": "deals.open_count", "op": "gte", "value": 1},
        "big talk": {"field": "deals.open_amount.CNY", "op": "gte", "value": 500},
        "won": {
            "all": [
                {"field": "deals.won_amount.CNY", "op": "gte", "value": 500},
                {"field": "deals.last_won_at", "op": "within_last", "value": "2d"},
            ]
        },
        "angry": {"field": "tickets.urgent_open_count", "op": "gte", "value": 1},
        "helped": {
            "all": [
                {"field": "tickets.count", "op": "gte", "value": 1},
                {"field": "tickets.open_count", "op": "eq", "value": 0},
            ]
        },
    }
    for tag, where in rules.items():
        await made(tenant, tag, where)
    await evaluated(tenant)
    first = await told(ORDER, contact_id, total=cny("6000.00"), placed_at=days_ago(100))
    await until_tagged(tenant, contact_id)
    second = await told(ORDER, contact_id, total=cny("4000.00"), placed_at=days_ago(1))
    await until_tagged(tenant, contact_id, "high", "bought")
    await told(ORDER, contact_id, known_id=second, version=2, total=cny("3999.99"))
    await until_tagged(tenant, contact_id, "bought")
    await told(ORDER, contact_id, known_id=second, version=3, total={"amount": "1.00", "currency": "EUR"})
    await until_tagged(tenant, contact_id, "bought", "euro")
    await told(ORDER, contact_id, known_id=first, version=2, total=cny("20000.00"), status="refunded")
    await until_tagged(tenant, contact_id, "euro", "new")
    # What was given back counts no more; all of it, and the order is none, whatever its status is called.
    await told(ORDER, contact_id, known_id=second, version=4, total=cny("10999.00"), refunded_total=cny("999.00"))
    await until_tagged(tenant, contact_id, "high", "new")
    await told(ORDER, contact_id, known_id=second, version=5, total=cny("10999.00"), refunded_total=cny("999.01"))
    await until_tagged(tenant, contact_id, "new")
    await told(ORDER, contact_id, known_id=second, version=6, total=cny("10999.00"), refunded_total=cny("10999.00"))
    await until_tagged(tenant, contact_id)
    await told(ORDER, contact_id, known_id=second, version=7, deleted=True)
    await until_tagged(tenant, contact_id)
    deal = await told(DEAL, contact_id, amount=cny("500.00"))
    await until_tagged(tenant, contact_id, "talking", "big talk")
    await told(DEAL, contact_id, known_id=deal, version=2, amount=None)
    await until_tagged(tenant, contact_id, "talking")
    await told(DEAL, contact_id, known_id=deal, version=3, amount=cny("501.00"), status="won", closed_at=days_ago(1))
    await until_tagged(tenant, contact_id, "won")
    await told(DEAL, contact_id, known_id=deal, version=4, status="lost", closed_at=days_ago(1))
    ticket = await told(TICKET, contact_id, priority="urgent")
    await until_tagged(tenant, contact_id, "angry")
    await told(TICKET, contact_id, known_id=ticket, version=2, priority="urgent", status="solved")
    await until_tagged(tenant, contact_id, "helped")


async def test_what_comes_twice_late_or_of_another_contact_counts_once_where_it_belongs(
    service: ServiceUnderTest, tenant: Tenant
) -> None:
    told = partial(tell, service, tenant)
    await made(tenant, "high", HIGH_VALUE)
    await evaluated(tenant)
    one, other = await person(tenant), await person(tenant)
    order = new_id("order")
    for _ in range(3):
        await told(ORDER, one, known_id=order, version=4, total=cny("6000.00"))
    await told(ORDER, one, known_id=order, version=3, total=cny("90000.00"))
    await told(ORDER, one, total=cny("3999.00"))
    marker = await told(ORDER, one, total=cny("1.00"))
    await until_tagged(tenant, one, "high")
    await told(ORDER, one, known_id=marker, version=2, total=cny("0.99"))
    await until_tagged(tenant, one)
    await told(ORDER, other, known_id=order, version=5, total=cny("10000.00"))
    await until_tagged(tenant, other, "high")
    await told(ORDER, None, known_id=order, version=6, total=cny("10000.00"))
    await until_tagged(tenant, other)
    await told(ORDER, other, known_id=order, version=7, deleted=True)
    await told(ORDER, other, known_id=order, version=6, total=cny("10000.00"))
    await told(ORDER, other, total=cny("10000.00"))
    contact = await until_tagged(tenant, other, "high")
    assert contact["version"] == 4


async def test_time_alone_gives_and_takes(service: ServiceUnderTest, tenant: Tenant, later: Later) -> None:
    """In days that have passed; how far a birthday is hangs on leap years, by a day."""
    await made(tenant, "sleeping", SLEEPING)
    await made(tenant, "birthday", BIRTHDAY, time_zone="Asia/Shanghai")
    await made(tenant, "old", {"not": {"field": "created_at", "op": "within_last", "value": "365d"}})
    await made(tenant, "unborn", {"field": "birthday", "op": "within_next", "value": "30d"})
    await made(tenant, "bought", {"field": "orders.count", "op": "gte", "value": 1})
    await evaluated(tenant)
    born = datetime.now(UTC).date() - timedelta(days=round(30 * 365.25) - 20)
    contact_id = await person(tenant, birthday=born.isoformat())
    await tell(service, tenant, ORDER, contact_id, placed_at=days_ago(70.5))
    await until_tagged(tenant, contact_id, "bought")
    await later(10)
    await asyncio.sleep(0.3)
    await until_tagged(tenant, contact_id, "bought")
    await later(5)
    await until_tagged(tenant, contact_id, "bought", "birthday")
    await later(8)
    contact = await until_tagged(tenant, contact_id, "bought", "sleeping")
    assert contact["version"] == 4
    await tell(service, tenant, ORDER, contact_id, placed_at=days_ago(1.5))
    await until_tagged(tenant, contact_id, "bought")
    await later(380)
    await until_tagged(tenant, contact_id, "bought", "sleeping", "old")


async def test_a_tag_says_who_or_what_gave_it_and_why(service: ServiceUnderTest, tenant: Tenant) -> None:
    rule = await made(tenant, "vip", {"any": [HIGH_VALUE, FROM_SHOP]}, description="x")
    sleeping = await made(tenant, "sleeping", SLEEPING)
    contact_id = await person(tenant, tags=["own"], source="fair")
    await tell(service, tenant, ORDER, contact_id, total=cny("12000.50"), placed_at=(last := days_ago(100)))
    await until_tagged(tenant, contact_id, "own", "vip", "sleeping")
    own, slept, vip = await reasons_of(tenant, contact_id)
    assert own == {
        "tag": "own", "by": "person", "rule_id": None, "name": None, "since": None, "taken": False, "why": [],
    }  # fmt: skip
    assert {**vip, "since": None} == {
        "tag": "vip",
        "by": "rule",
        "rule_id": rule["id"],
        "name": "Rule of vip",
        "since": None,
        "taken": False,
        "why": [
            {
                "field": "orders.total.CNY",
                "op": "gte",
                "value": "10000",
                "actual": "12000.50",
                "negated": False,
                "hidden": False,
            }
        ],
    }
    assert abs(datetime.fromisoformat(vip["since"]) - datetime.now(UTC)) < timedelta(minutes=1)
    assert slept["rule_id"] == sleeping["id"]
    count, lately = slept["why"]
    assert (count["actual"], count["negated"]) == (1, False)
    assert (lately["op"], lately["value"], lately["negated"]) == ("within_last", "90d", True)
    assert datetime.fromisoformat(lately["actual"]) == datetime.fromisoformat(last)
    await patched(tenant, contact_id, source="shop")
    assert [each["field"] for each in (await reasons_of(tenant, contact_id))[2]["why"]] == [
        "orders.total.CNY",
        "source",
    ]


async def test_what_rules_change_is_told_in_their_name(service: ServiceUnderTest, tenant: Tenant) -> None:
    rule = await made(tenant, "high", HIGH_VALUE)
    contact_id = await person(tenant)
    await tell(service, tenant, ORDER, contact_id, total=cny("10000.00"))
    contact = await until_tagged(tenant, contact_id, "high")
    assert contact["version"] == 2
    [_, changed] = await service.events(CONTACT.name, key=contact_id, at_least=2)
    assert (changed.action, changed.actor_id, list(changed.changed)) == ("updated", rule["id"], ["tags"])
    assert changed.entity is not None
    assert changed.entity["tags"] == ["high"]
    entry = (await tenant.read("/internal/audit-log", entity_id=contact_id))["data"][0]
    assert (entry["actor"], entry["via"], entry["version"]) == (rule["id"], "rule", 2)
    [past, *_] = (await tenant.read(f"/v1/contacts/{contact_id}/history", fields="tags"))["data"]
    assert (past["source"]["kind"], past["actor_id"]) == ("rule", rule["id"])
    await tell(service, tenant, ORDER, contact_id, total=cny("10000.00"))
    await asyncio.sleep(0.5)
    assert (await tenant.read(f"/v1/contacts/{contact_id}"))["version"] == 2


async def test_a_tag_that_somebody_gave_stays(tenant: Tenant) -> None:
    await made(tenant, "vip", FROM_SHOP)
    contact = await tenant.create("/v1/contacts", full_name="王伟", tags=["vip"])
    assert (await patched(tenant, contact["id"], source="shop"))["tags"] == ["vip"]
    assert [each["by"] for each in await reasons_of(tenant, contact["id"])] == ["person", "rule"]
    assert (await patched(tenant, contact["id"], source="fair"))["tags"] == ["vip"]


async def test_a_tag_that_somebody_took_away_comes_when_the_rule_holds_anew(tenant: Tenant) -> None:
    await made(tenant, "vip", FROM_SHOP)
    contact_id = await person(tenant, source="shop")
    assert (await patched(tenant, contact_id, tags=[]))["tags"] == []
    [told] = await reasons_of(tenant, contact_id)
    assert (told["tag"], told["taken"]) == ("vip", True)
    assert (await patched(tenant, contact_id, title="Buyer"))["tags"] == []
    await made(tenant, "other", {"field": "title", "op": "exists", "value": True})
    await until_tagged(tenant, contact_id, "other")
    await patched(tenant, contact_id, source="fair")
    assert set((await patched(tenant, contact_id, source="shop"))["tags"]) == {"vip", "other"}
    await patched(tenant, contact_id, tags=["other"])
    assert (await patched(tenant, contact_id, tags=["other", "vip"]))["tags"] == ["other", "vip"]
    assert (await patched(tenant, contact_id, source="fair"))["tags"] == ["other", "vip"], "given by somebody"


async def test_it_stays_while_one_of_two_rules_holds(tenant: Tenant) -> None:
    await made(tenant, "vip", FROM_SHOP)
    await made(tenant, "vip", {"field": "title", "op": "eq", "value": "CEO"})
    contact_id = await person(tenant, source="shop", title="CEO")
    assert len(await reasons_of(tenant, contact_id)) == 2
    assert (await patched(tenant, contact_id, source=None))["tags"] == ["vip"]
    assert (await patched(tenant, contact_id, title=None))["tags"] == []


async def test_existing_contacts_follow_what_becomes_of_a_rule(tenant: Tenant) -> None:
    ids = [await person(tenant, source="shop" if number % 2 else "fair") for number in range(6)]
    rule = await made(tenant, "shop", FROM_SHOP)
    path = f"/v1/tag-rules/{rule['id']}"

    async def tags() -> list[list[str]]:
        await evaluated(tenant)
        return [(await tenant.read(f"/v1/contacts/{id_}"))["tags"] for id_ in ids]

    assert await tags() == [[], ["shop"]] * 3
    fair = {"where": {"field": "source", "op": "eq", "value": "fair"}, "tag": "fair"}
    assert (await tenant.client.patch(path, json=fair)).status_code == 200
    assert await tags() == [["fair"], []] * 3
    assert (await tenant.client.patch(path, json={"tag": "met"})).status_code == 200
    assert await tags() == [["met"], []] * 3
    versions = [(await tenant.read(f"/v1/contacts/{id_}"))["version"] for id_ in ids]
    assert (await tenant.client.patch(path, json={"name": "Other", "description": "x"})).status_code == 200
    assert await tags() == [["met"], []] * 3
    assert (await reasons_of(tenant, ids[0]))[0]["name"] == "Other"
    again = await tenant.client.post("/v1/tag-rules/evaluation")
    assert (again.status_code, again.json()["pending"]) == (202, True), again.text
    assert await tags() == [["met"], []] * 3
    assert [(await tenant.read(f"/v1/contacts/{id_}"))["version"] for id_ in ids] == versions
    assert (await tenant.client.patch(path, json={"active": False})).status_code == 200
    assert await tags() == [[], []] * 3
    assert (await tenant.client.patch(path, json={"active": True})).status_code == 200
    assert await tags() == [["met"], []] * 3
    assert (await tenant.client.delete(path)).status_code == 204
    assert await tags() == [[], []] * 3


async def test_rules_may_hang_on_the_tags_of_others_and_not_in_a_circle(tenant: Tenant) -> None:
    is_shop, is_bad = ({"field": "tag", "op": "eq", "value": tag} for tag in ("shop", "bad"))
    gold = await made(tenant, "gold", {"all": [is_shop, {"not": is_bad}]})
    shop = await made(tenant, "shop", FROM_SHOP)
    bad = await made(tenant, "bad", {"field": "title", "op": "eq", "value": "Nobody"})
    contact_id = await person(tenant, source="shop")
    await until_tagged(tenant, contact_id, "gold", "shop")
    assert set((await patched(tenant, contact_id, title="Nobody"))["tags"]) == {"shop", "bad"}
    assert set((await patched(tenant, contact_id, title=None))["tags"]) == {"shop", "gold"}
    for where in (
        {"field": "tag", "op": "eq", "value": "gold"},
        {"not": {"field": "tag", "op": "in", "value": ["x", "gold"]}},
        {"field": "tag", "op": "exists", "value": True},
        {"field": "tag", "op": "starts_with", "value": "go"},
    ):
        was = dict.fromkeys(("field", "op", "value"))  # a merge patch takes out what it says is null
        refused = await tenant.client.patch(f"/v1/tag-rules/{bad['id']}", json={"where": {**was, **where}})
        assert (refused.status_code, refused.json()["code"]) == (409, "tag_rules_in_a_circle"), refused.text
        assert set(refused.json()["tag_rule_ids"]) >= {bad["id"]}
    own = {"name": "x", "tag": "self", "where": {"not": {"field": "tag", "op": "eq", "value": "self"}}}
    refused = await tenant.client.post("/v1/tag-rules", json=own)
    assert refused.json()["code"] == "tag_rules_in_a_circle"
    assert (await tenant.client.post("/v1/tag-rules", json={**own, "active": False})).status_code == 201
    assert (await tenant.client.delete(f"/v1/tag-rules/{shop['id']}")).status_code == 204
    await until_tagged(tenant, contact_id)
    assert (await tenant.read(f"/v1/tag-rules/{gold['id']}"))["active"] is True


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"where": {"field": "shoe", "op": "exists", "value": True}}, "/where/field", "unknown_field"),
        ({"where": {"field": "orders.total.XXX", "op": "gt", "value": 1}}, "/where/field", "unknown_field"),
        ({"where": {"field": "team_id", "op": "exists", "value": True}}, "/where/field", "unknown_field"),
        ({"where": {"field": "orders.count", "op": "gt", "value": "many"}}, "/where/value", "type_mismatch"),
        ({"where": {"field": "birthday", "op": "anniversary_within_next", "value": "7h"}}, "/where/value", "type_mismatch"),
        ({"where": {"field": "created_at", "op": "anniversary_within_next", "value": "7d"}}, "/where/op", "unknown_operator"),
        ({"time_zone": "Mars/Olympus"}, "/time_zone", "time_zone"),
        ({"tag": " "}, "/tag", "too_short"),
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused(tenant: Tenant, change: Json, pointer: str, code: str) -> None:
    body = {"name": "x", "tag": "x", "where": FROM_SHOP, **change}
    answer = await tenant.client.post("/v1/tag-rules", json=body)
    assert answer.status_code == 422, answer.text
    assert [(each["pointer"], each["code"]) for each in answer.json()["errors"]] == [(pointer, code)]


async def test_people_give_so_many_tags_and_rules_some_more(tenant: Tenant) -> None:
    await made(tenant, "one more", FROM_SHOP)
    many = [f"t{number}" for number in range(200)]
    contact = await tenant.create("/v1/contacts", full_name="王伟", source="shop", tags=many)
    assert len(contact["tags"]) == 201
    assert len((await patched(tenant, contact["id"], title="Buyer"))["tags"]) == 201
    refused = await tenant.client.patch(f"/v1/contacts/{contact['id']}", json={"tags": [*many, "one more", "x"]})
    assert [each["pointer"] for each in refused.json()["errors"]] == ["/tags"]
    refused = await tenant.client.post("/v1/contacts", json={"full_name": "x", "tags": [*many, "x"]})
    assert refused.status_code == 422
