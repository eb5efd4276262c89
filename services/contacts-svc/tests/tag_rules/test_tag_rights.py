"""Nobody learns by tags, reasons or previews what they may not see."""

from typing import Any

import pytest
from crm_contracts.ids import UserId
from crm_contracts.registry import ORDER
from crm_kit.rights import Rights
from crm_kit.rights.grants import Access, Grant, Level
from crm_testkit.service import ServiceUnderTest, Tenant
from crm_testkit.tagged_contacts import cny, evaluated, made, person, reasons_of, tell, until_tagged

Json = dict[str, Any]
ME = UserId.new()
OPEN: dict[Any, Access] = {"open": "read"}
ALL: dict[Any, Access] = dict.fromkeys(("open", "personal", "commercial", "private"), "read")
HIGH_VALUE = {"field": "orders.total.CNY", "op": "gte", "value": "10000"}
TITLED = {"field": "title", "op": "eq", "value": "CEO"}
FROM_SHOP = {"field": "source", "op": "eq", "value": "shop"}


def grant(resource: str, level: Level, fields: dict[Any, Access] = ALL, where: Json | None = None) -> Grant:
    return Grant(frozenset({resource}), frozenset({"read"}), level, fields, where)


def as_me(service: ServiceUnderTest, tenant: Tenant, *grants: Grant) -> Tenant:
    return service.tenant(tenant.id, rights=Rights(ME, (), grants, admin=False))


@pytest.fixture
async def contact_id(service: ServiceUnderTest, tenant: Tenant) -> str:
    """Mine, with a tag by a title and one by its orders."""
    await made(tenant, "boss", TITLED)
    await made(tenant, "high", HIGH_VALUE)
    id_ = await person(tenant, title="CEO", owner_id=ME)
    await tell(service, tenant, ORDER, id_, total=cny("10000.00"))
    await until_tagged(tenant, id_, "boss", "high")
    return id_


@pytest.mark.parametrize(
    ("grants", "boss", "high"),
    [
        ([grant("contacts", "all")], True, False),
        ([grant("contacts", "own", OPEN)], False, False),
        ([grant("contacts", "own", OPEN), grant("orders", "own")], False, True),
        ([grant("contacts", "all", OPEN), grant("orders", "all", OPEN)], False, False),
        ([grant("contacts", "all"), grant("orders", "all")], True, True),
        ([grant("contacts", "all"), grant("orders", "all", ALL, FROM_SHOP)], True, False),
    ],
)
async def test_reasons_are_told_as_far_as_their_fields_are_seen(
    service: ServiceUnderTest, tenant: Tenant, contact_id: str, grants: list[Grant], boss: bool, high: bool
) -> None:
    told = {each["tag"]: each["why"][0] for each in await reasons_of(as_me(service, tenant, *grants), contact_id)}
    for tag, shown, actual in (("boss", boss, "CEO"), ("high", high, "10000.00")):
        assert told[tag]["hidden"] is not shown
        assert told[tag]["actual"] == (actual if shown else None)
        assert (told[tag]["op"] is not None, told[tag]["value"] is not None) == (shown, shown)


async def test_what_belongs_to_contacts_of_others_is_told_to_who_may_read_it(
    service: ServiceUnderTest, tenant: Tenant, contact_id: str
) -> None:
    theirs = await person(tenant, owner_id=UserId.new())
    await tell(service, tenant, ORDER, theirs, total=cny("10000.00"))
    await until_tagged(tenant, theirs, "high")
    me = as_me(service, tenant, grant("contacts", "all"), grant("orders", "own"))
    assert [(await reasons_of(me, id_))[-1]["why"][0]["hidden"] for id_ in (contact_id, theirs)] == [False, True]
    own = as_me(service, tenant, grant("contacts", "own"), grant("orders", "own"))
    assert (await own.client.get(f"/v1/contacts/{theirs}/tags")).status_code == 404
    stranger = service.tenant()
    assert (await stranger.client.get(f"/v1/contacts/{theirs}/tags")).status_code == 404


async def test_a_preview_shows_whom_a_list_would_show(
    service: ServiceUnderTest, tenant: Tenant, contact_id: str
) -> None:
    theirs = await person(tenant, owner_id=UserId.new(), title="CEO")
    await tell(service, tenant, ORDER, theirs, total=cny("10000.00"))
    await until_tagged(tenant, theirs, "boss", "high")
    path, rules = "/v1/tag-rules/preview", grant("tag-rules", "all")

    async def found(where: Json, *grants: Grant) -> tuple[int, Any]:
        client = as_me(service, tenant, rules, *grants).client if grants else tenant.client
        answer = await client.post(path, json={"where": where})
        body = answer.json()
        return answer.status_code, sorted(each["id"] for each in body.get("sample", ())) or body.get(
            "missing_permission"
        )

    both, mine = sorted([contact_id, theirs]), [contact_id]
    for where in (TITLED, HIGH_VALUE, {"all": [TITLED, HIGH_VALUE]}):
        assert await found(where) == (200, both)
        assert await found(where, grant("contacts", "own"), grant("orders", "own")) == (200, mine)
        assert await found(where, grant("contacts", "all"), grant("orders", "all")) == (200, both)
    assert await found(HIGH_VALUE, grant("contacts", "all"), grant("orders", "own")) == (200, mine)
    assert await found(HIGH_VALUE, grant("contacts", "all")) == (403, "orders:read")
    assert await found(HIGH_VALUE, grant("contacts", "all"), grant("orders", "all", OPEN)) == (403, "orders:read")
    assert await found(HIGH_VALUE, grant("orders", "all")) == (403, "contacts:read")
    assert (await found(TITLED, grant("contacts", "all", OPEN)))[0] == 403
    assert (
        await as_me(service, tenant, grant("contacts", "all")).client.post(path, json={"where": TITLED})
    ).status_code == 403
    stranger = (await service.tenant().client.post(path, json={"where": TITLED})).json()
    assert stranger == {"found": {"count": 0, "kind": "exact"}, "sample": []}


async def test_who_makes_a_rule_may_read_what_it_asks_for(service: ServiceUnderTest, tenant: Tenant) -> None:
    writes = Grant(
        frozenset({"tag-rules"}), frozenset({"read", "create", "update"}), "all", dict.fromkeys(ALL, "write")
    )  # type: ignore[arg-type]  # the words are those of the vocabulary
    me = as_me(service, tenant, writes, grant("contacts", "all", OPEN))
    rule = await made(me, "shop", FROM_SHOP)
    for where in (TITLED, HIGH_VALUE):
        body = {"name": "x", "tag": "x", "where": where}
        assert (await me.client.post("/v1/tag-rules", json=body)).status_code == 403
        patched = await me.client.patch(f"/v1/tag-rules/{rule['id']}", json={"where": where})
        assert patched.status_code == 403
    keyed = service.tenant(tenant.id, scopes=frozenset({"tag-rules:write", "contacts:read"}))
    assert (
        await keyed.client.post("/v1/tag-rules", json={"name": "x", "tag": "x", "where": FROM_SHOP})
    ).status_code == 201
    refused = await keyed.client.post("/v1/tag-rules", json={"name": "x", "tag": "x", "where": HIGH_VALUE})
    assert refused.json()["missing_permission"] == "orders:read"
    reader = service.tenant(tenant.id, scopes=frozenset({"contacts:read"}))
    assert (await reader.client.get("/v1/tag-rules")).status_code == 403
    assert (await reader.client.post("/v1/tag-rules/evaluation")).status_code == 403


async def test_a_preview_finds_whom_the_rule_tags(service: ServiceUnderTest, tenant: Tenant) -> None:
    ids = [await person(tenant, source="shop" if number % 2 else "fair") for number in range(4)]
    await made(tenant, "bought", {"field": "orders.count", "op": "gte", "value": 1})
    for number, id_ in enumerate(ids[:3]):
        await tell(service, tenant, ORDER, id_, total=cny(f"{number}000.00"))
        await until_tagged(tenant, id_, "bought")
    wheres: list[Json] = [
        {"field": "orders.count", "op": "eq", "value": 0},
        {"field": "orders.total.CNY", "op": "lt", "value": "1500"},
        {"field": "orders.total.EUR", "op": "eq", "value": 0},
        {"not": {"field": "orders.last_at", "op": "exists", "value": True}},
        {"field": "orders.last_at", "op": "within_last", "value": "1d"},
        {"all": [FROM_SHOP, {"field": "orders.total.CNY", "op": "gte", "value": 1000}]},
        {"field": "tickets.open_count", "op": "eq", "value": 0},
        {"field": "deals.won_amount.CNY", "op": "gte", "value": "0"},
    ]
    for number, where in enumerate(wheres):
        await made(tenant, f"t{number}", where)
    await evaluated(tenant)
    for number, where in enumerate(wheres):
        previewed = await tenant.client.post("/v1/tag-rules/preview", json={"where": where})
        tagged = (await tenant.read("/v1/contacts", tag=f"t{number}"))["data"]
        sample = [each["id"] for each in previewed.json()["sample"]]
        assert sorted(each["id"] for each in tagged) == sample, where
        assert previewed.json()["found"] == {"count": len(tagged), "kind": "exact"}
    sizes = [len((await tenant.read("/v1/contacts", tag=f"t{number}"))["data"]) for number in range(len(wheres))]
    assert sizes == [1, 3, 4, 1, 3, 1, 4, 4]
