"""Grants with a condition count in the customer view, its list, look-up and timeline as they do in the services."""

import asyncio
from typing import Any

import pytest
from crm_contracts.ids import UserId
from crm_kit.rights import Rights
from crm_kit.rights.grants import Access, Grant
from crm_testkit.customer_world import moment, money

Stack = Any
"""The fixture of conftest.py, whose class cannot be imported from there."""

CLEAR: dict[str, Access] = dict.fromkeys(("open", "personal", "commercial", "private"), "read")


def grant(where: dict[str, Any] | None, *resources: str, fields: dict[str, Access] | None = None) -> Grant:
    return Grant(frozenset(resources), frozenset(["read"]), "all", fields or CLEAR, where)


def reading(stack: Stack, tenant_id: str, *grants: Grant) -> Any:
    everybody = grant(None, "customers")
    rights = Rights(UserId.new(), (), [everybody, *grants], admin=False)
    return stack.gateway.tenant(tenant_id, rights=rights).client


def comparison(field: str, op: str, value: object) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


async def settled(stack: Stack, tenant_id: str, *ids: str) -> None:
    client = stack.gateway.tenant(tenant_id).client
    async with asyncio.timeout(30):
        for id_ in ids:
            while (await client.get(f"/v1/customers/{id_}")).status_code != 200:
                await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("where", "seen"),
    [
        (comparison("source", "eq", "web"), {"web"}),
        ({"not": comparison("source", "eq", "web")}, {"fair", "nowhere"}),
        (comparison("tag", "contains", "vip"), {"fair"}),
        (comparison("birthday", "before", "1990-01-01"), {"web"}),
        (comparison("updated_at", "within_last", "9999d"), {"web", "fair", "nowhere"}),
        ({"any": [comparison("lifecycle_stage", "in", ["customer"]), comparison("title", "starts_with", "经")]}, {"nowhere", "fair"}),
        (comparison("no_such_field", "exists", False), set()),
    ],
)  # fmt: skip
async def test_customers_are_seen_of_whom_a_condition_holds(
    stack: Stack, where: dict[str, Any], seen: set[str]
) -> None:
    tenant, world = stack.tenant()
    made = {
        "web": {"source": "web", "birthday": "1988-05-01", "wechat": "wx-web"},
        "fair": {"source": "fair", "tags": ["vip"], "title": "经理", "wechat": "wx-fair"},
        "nowhere": {"lifecycle_stage": "customer", "wechat": "wx-nowhere"},
    }
    ids = {name: world.create("contact", full_name=name, **members)["id"] for name, members in made.items()}
    await stack.publish(world)
    await settled(stack, tenant.id, *ids.values())
    me = reading(stack, tenant.id, grant(where, "contacts"))

    listed = await me.get("/v1/customers?kind=contact")
    assert {one["name"] for one in listed.json()["data"]} == seen
    for name, id_ in ids.items():
        wanted = 200 if name in seen else 404
        for path in (id_, f"{id_}?consistency=live", f"{id_}?include=sales", f"{id_}/timeline"):
            answer = await me.get(f"/v1/customers/{path}")
            assert answer.status_code == wanted, (name, path, answer.text)
        assert (await me.get(f"/v1/customers/lookup?wechat=wx-{name}")).status_code == wanted


async def test_a_condition_on_customers_may_only_unmask_them(stack: Stack) -> None:
    tenant, world = stack.tenant()
    ids = {source: world.create("contact", full_name="欧阳晓梅", source=source)["id"] for source in ("web", "fair")}
    await stack.publish(world)
    await settled(stack, tenant.id, *ids.values())
    masked = grant(None, "contacts", fields={"open": "read", "personal": "masked"})
    me = reading(stack, tenant.id, masked, grant(comparison("source", "eq", "web"), "contacts"))
    for source, id_ in ids.items():
        view = (await me.get(f"/v1/customers/{id_}")).json()
        entries = (await me.get(f"/v1/customers/{id_}/timeline")).json()["data"]
        listed = {one["id"]: one for one in (await me.get("/v1/customers")).json()["data"]}
        shown = {view["profile"]["full_name"], listed[id_]["name"], listed[id_]["profile"]["full_name"]}
        assert (shown == {"欧阳晓梅"}) is (source == "web")
        assert (entries[0]["title"] == view["timeline"][0]["title"] == "欧阳晓梅") is (source == "web")


async def test_only_the_deals_are_in_a_view_of_which_a_condition_holds(stack: Stack) -> None:
    tenant, world = stack.tenant()
    contact = world.create("contact", full_name="欧阳晓梅")["id"]
    for name, amount in (("small", "900.00"), ("large", "128000.00"), ("unknown", None)):
        world.create("deal", name=name, amount=money(amount) if amount else None, contact_id=contact)
    world.create("order", number="SO-1", total=money("1.00"), placed_at=moment(-5), contact_id=contact)
    await stack.publish(world)
    async with asyncio.timeout(30):
        client = stack.gateway.tenant(tenant.id).client
        while len((await client.get(f"/v1/customers/{contact}")).json().get("sales", {}).get("open_deals", ())) < 3:
            await asyncio.sleep(0.05)
    me = reading(stack, tenant.id, grant(None, "contacts"), grant(comparison("amount", "lt", 1000), "deals"))
    for query in ("", "?consistency=live"):
        view = (await me.get(f"/v1/customers/{contact}{query}")).json()
        assert [deal["name"] for deal in view["sales"]["open_deals"]] == ["small"]
        assert "open_value" not in view["sales"]
        assert {"sales.open_deals", "sales.open_value", "sales.orders"} <= set(view["redacted"])
        assert "128000" not in str(view)
