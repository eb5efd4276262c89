"""Custom fields in lists, searches, sorts, and the conditions of territories."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from crm_contracts.ids import TeamId
from crm_testkit.service import Tenant

Declare = Callable[..., Awaitable[dict[str, Any]]]
TEAM = TeamId.new()
CHOICES = [{"value": value, "label": {"en": value}} for value in ("gold", "silver", "bronze")]
STORED: dict[str, dict[str, Any]] = {
    "a": {"level": "gold", "points": 10, "since": "2026-01-31", "budget": {"amount": "1000.50", "currency": "CNY"}},
    "b": {"level": "silver", "points": 9, "since": "2025-12-01", "budget": {"amount": "99", "currency": "CNY"}},
    "c": {"level": "gold", "points": 9.5, "tags": ["gold", "bronze"], "news": True, "site": "https://example.com/c"},
    "d": {"budget": {"amount": "5000", "currency": "USD"}, "tags": ["silver"], "news": False},
    "before": {"level": 7, "points": "10", "since": True, "tags": "gold", "news": "true"},
    "none": {},
}


@pytest.fixture
async def contacts(tenant: Tenant, declare: Declare) -> dict[str, str]:
    """By id, their names. One was there before the declarations, with values of other types."""
    made: dict[str, str] = {}
    for name in ("before", "none"):
        made[(await tenant.create("/v1/contacts", full_name=name, custom=STORED[name]))["id"]] = name
    await declare("level", "choice", choices=CHOICES)
    for name, kind in {
        "points": "number",
        "since": "date",
        "budget": "money",
        "news": "boolean",
        "site": "link",
    }.items():
        await declare(name, kind)
    await declare("tags", "multi_choice", choices=CHOICES)
    await declare("notes", "json")
    for name, custom in STORED.items():
        if name not in made.values():
            made[(await tenant.create("/v1/contacts", full_name=name, custom=custom))["id"]] = name
    return made


async def search(tenant: Tenant, contacts: dict[str, str], where: dict[str, Any] | None, *sort: str) -> list[str]:
    answer = await tenant.client.post("/v1/contacts/search", json={"where": where, "sort": list(sort) or ["full_name"]})
    assert answer.status_code == 200, answer.text
    return [contacts[one["id"]] for one in answer.json()["data"]]


@pytest.mark.parametrize(
    ("field", "op", "value", "found"),
    [
        ("level", "eq", "gold", "a c"),
        ("level", "ne", "gold", "b before d none"),
        ("level", "in", ["gold", "silver"], "a b c"),
        ("level", "exists", False, "before d none"),
        ("points", "gt", 9, "a c"),
        ("points", "lte", "9.5", "b c"),
        ("points", "eq", 10.0, "a"),
        ("since", "before", "2026-01-01", "b"),
        ("since", "gte", "2025-12-01", "a b"),
        ("since", "eq", "2026-01-31", "a"),
        ("budget.amount", "gt", 500, "a d"),
        ("budget.amount", "eq", "99.00", "b"),
        ("budget.currency", "eq", "USD", "d"),
        ("tags", "contains", "gold", "c"),
        ("tags", "in", ["silver", "bronze"], "c d"),
        ("tags", "exists", False, "a b before none"),
        ("news", "eq", False, "d"),
        ("site", "starts_with", "https://example.com/", "c"),
    ],
)
async def test_a_search_finds_by_them(
    tenant: Tenant, contacts: dict[str, str], field: str, op: str, value: object, found: str
) -> None:
    where = {"field": f"custom.{field}", "op": op, "value": value}
    assert await search(tenant, contacts, where) == found.split()


async def test_a_list_filters_by_them(tenant: Tenant, contacts: dict[str, str]) -> None:
    for name, value, found in [
        ("level", "gold", "c a"),
        ("points", "9.5", "c"),
        ("since", "2026-01-31", "a"),
        ("news", "true", "c"),
        ("tags", "bronze", "c"),
        ("budget.currency", "CNY", "b a"),
    ]:
        page = await tenant.read("/v1/contacts", **{f"custom.{name}": value})
        assert [contacts[one["id"]] for one in page["data"]] == found.split()


async def test_lists_are_sorted_by_them_page_by_page(tenant: Tenant, contacts: dict[str, str]) -> None:
    for sort, order in [
        ("custom.points,full_name", "b c a before d none"),
        ("-custom.points,full_name", "a c b before d none"),
        ("custom.since,full_name", "b a before c d none"),
        ("-custom.budget.amount,full_name", "d a b before c none"),
        ("custom.level,-full_name", "c a b none d before"),
    ]:
        seen: list[str] = []
        cursor: str | None = None
        while True:
            page = await tenant.read("/v1/contacts", sort=sort, limit=2, **({"cursor": cursor} if cursor else {}))
            seen += [contacts[one["id"]] for one in page["data"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert seen == order.split(), sort


@pytest.mark.parametrize(
    ("where", "pointer", "code"),
    [
        ({"field": "custom.nothing", "op": "eq", "value": 1}, "/where/field", "unknown_field"),
        ({"field": "custom.notes", "op": "exists"}, "/where/field", "unknown_field"),
        ({"field": "custom.budget", "op": "gt", "value": 1}, "/where/field", "unknown_field"),
        ({"field": "custom.level", "op": "eq", "value": "platinum"}, "/where/value", "type_mismatch"),
        ({"field": "custom.points", "op": "eq", "value": "many"}, "/where/value", "type_mismatch"),
        ({"field": "custom.level", "op": "gt", "value": "gold"}, "/where/op", "unknown_operator"),
    ],
)
async def test_what_cannot_be_asked_is_told(
    tenant: Tenant, contacts: dict[str, str], where: dict[str, Any], pointer: str, code: str
) -> None:
    answer = await tenant.client.post("/v1/contacts/search", json={"where": where})
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert (fault["pointer"], fault["code"]) == (pointer, code)
    assert (await tenant.client.get("/v1/contacts?custom.nothing=1")).status_code == 422
    assert (await tenant.client.get("/v1/contacts?sort=custom.notes")).status_code == 422


async def evaluated(tenant: Tenant) -> None:
    async with asyncio.timeout(60):
        while (await tenant.read("/v1/territories/evaluation"))["pending"]:
            await asyncio.sleep(0.05)


async def test_territories_assign_by_them(tenant: Tenant, contacts: dict[str, str]) -> None:
    where = {
        "all": [
            {"field": "custom.level", "op": "eq", "value": "gold"},
            {"field": "custom.points", "op": "gt", "value": 9},
        ]
    }
    territory = await tenant.create("/v1/territories", name="x", resource="contacts", where=where, team_id=TEAM)
    await evaluated(tenant)
    assert {contacts[one["id"]] for one in (await tenant.read("/v1/contacts", team_id=TEAM))["data"]} == {"a", "c"}
    made = await tenant.create("/v1/contacts", full_name="e", custom={"level": "gold", "points": 11})
    assert made["territory_id"] == territory["id"]
    changed = await tenant.client.patch(f"/v1/contacts/{made['id']}", json={"custom": {"points": None}})
    assert changed.json()["territory_id"] is None


async def test_a_field_stays_while_a_territory_names_it(tenant: Tenant, declare: Declare) -> None:
    field = await declare("level", "text")
    path = f"/v1/custom-fields/{field['id']}"
    where = {"any": [{"not": {"field": "custom.level", "op": "exists"}}]}
    territory = await tenant.create("/v1/territories", name="x", resource="contacts", where=where, team_id=TEAM)
    refused = await tenant.client.delete(path)
    assert (refused.status_code, refused.json()["code"]) == (409, "custom_field_in_use")
    assert refused.json()["territory_ids"] == [territory["id"]]
    archived = await tenant.client.patch(path, json={"archived": True})
    assert archived.status_code == 200
    assert (await tenant.create("/v1/contacts", full_name="a"))["team_id"] == TEAM
    assert (await tenant.client.delete(f"/v1/territories/{territory['id']}")).status_code == 204
    assert (await tenant.client.delete(path)).status_code == 204
    again = {"name": "x", "resource": "contacts", "where": where, "team_id": TEAM}
    assert (await tenant.client.post("/v1/territories", json=again)).status_code == 422
