"""Territories: what they assign, when a record is written and when they change themselves."""

import asyncio
from typing import Any

import pytest
from crm_contracts.ids import TeamId, UserId
from crm_contracts.registry import CONTACT, TERRITORY
from crm_testkit.service import ServiceUnderTest, Tenant

EAST, WEST = TeamId.new(), TeamId.new()
EVE, WIM, SOMEBODY = UserId.new(), UserId.new(), UserId.new()
ZHEJIANG = {"region": "浙江"}
SICHUAN = {"region": "四川"}


@pytest.fixture
def tenant(service: ServiceUnderTest) -> Tenant:
    return service.tenant()


async def a_territory(tenant: Tenant, region: str, team_id: str, *, settled: bool = True, **members: Any) -> str:
    where = {"field": "address.region", "op": "eq", "value": region}
    body = {"name": region, "resource": "contacts", "where": where, "team_id": team_id, **members}
    territory_id = str((await tenant.create("/v1/territories", **body))["id"])
    if settled:
        await evaluated(tenant)
    return territory_id


async def evaluated(tenant: Tenant) -> None:
    async with asyncio.timeout(60):
        while (await tenant.read("/v1/territories/evaluation"))["pending"]:
            await asyncio.sleep(0.05)


async def patch(tenant: Tenant, path: str, **members: Any) -> dict[str, Any]:
    answer = await tenant.client.patch(path, json=members)
    assert answer.status_code == 200, answer.text
    changed: dict[str, Any] = answer.json()
    return changed


async def a_contact(tenant: Tenant, **members: Any) -> dict[str, Any]:
    return await tenant.create("/v1/contacts", full_name="王伟", **members)


def given(record: dict[str, Any]) -> tuple[str | None, str | None, str | None]:
    return record["team_id"], record["owner_id"], record["territory_id"]


async def until(tenant: Tenant, path: str, wanted: tuple[str | None, str | None, str | None]) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while given(record := await tenant.read(path)) != wanted:
            await asyncio.sleep(0.05)
    return record


async def test_the_first_that_holds_assigns_by_position_then_by_id(tenant: Tenant) -> None:
    await a_territory(tenant, "浙江", WEST, position=2)
    first = await a_territory(tenant, "浙江", EAST, position=1)
    await a_territory(tenant, "浙江", WEST, position=1)
    await a_territory(tenant, "浙江", WEST, position=0, active=False)
    assert given(await a_contact(tenant, address=ZHEJIANG)) == (EAST, None, first)
    assert given(await a_contact(tenant, address=SICHUAN)) == (None, None, None)
    account = await tenant.create("/v1/accounts", name="Acme", address=ZHEJIANG)
    assert given(account) == (None, None, None)


async def test_a_record_follows_its_changes(tenant: Tenant) -> None:
    east, west = await a_territory(tenant, "浙江", EAST, owner_id=EVE), await a_territory(tenant, "四川", WEST)
    contact = await a_contact(tenant, address=ZHEJIANG)
    assert given(contact) == (EAST, EVE, east)
    path = f"/v1/contacts/{contact['id']}"
    assert given(await patch(tenant, path, address=SICHUAN)) == (WEST, None, west)
    assert given(await patch(tenant, path, address=None)) == (None, None, None)
    assert given(await patch(tenant, path, address=ZHEJIANG)) == (EAST, EVE, east)


async def test_accounts_follow_their_own(tenant: Tenant) -> None:
    where = {"all": [{"field": "size", "op": "gte", "value": 100}, {"not": {"field": "industry", "op": "exists"}}]}
    large = await tenant.create("/v1/territories", name="Large", resource="accounts", where=where, team_id=EAST)
    account = await tenant.create("/v1/accounts", name="Acme", size=100)
    assert given(account) == (EAST, None, large["id"])
    assert given(await patch(tenant, f"/v1/accounts/{account['id']}", size=99)) == (None, None, None)


async def test_the_assignment_is_part_of_the_change(service: ServiceUnderTest, tenant: Tenant) -> None:
    east, west = await a_territory(tenant, "浙江", EAST), await a_territory(tenant, "四川", WEST)
    contact = await a_contact(tenant, address=ZHEJIANG)
    assert contact["version"] == 1
    changed = await patch(tenant, f"/v1/contacts/{contact['id']}", address=SICHUAN)
    assert changed["version"] == 2
    made, moved = await service.events(CONTACT.name, key=contact["id"], at_least=2)
    assert given(dict(made.entity or {})) == (EAST, None, east)
    assert given(dict(moved.entity or {})) == (WEST, None, west)
    assert set(moved.changed) == {"address", "team_id", "territory_id"}


async def test_what_a_person_assigned_stays_until_it_is_given_back(tenant: Tenant) -> None:
    east = await a_territory(tenant, "浙江", EAST)
    named = await a_contact(tenant, address=ZHEJIANG, team_id=WEST)
    assert given(named) == (WEST, None, None)
    contact = await a_contact(tenant, address=ZHEJIANG)
    path = f"/v1/contacts/{contact['id']}"
    assert given(await patch(tenant, path, team_id=EAST)) == (EAST, None, east), "the same is no change"
    assert given(await patch(tenant, path, team_id=WEST)) == (WEST, None, None)
    assert given(await patch(tenant, path, address=SICHUAN)) == (WEST, None, None)
    assert given(await patch(tenant, path, address=ZHEJIANG)) == (WEST, None, None)
    assert given(await patch(tenant, path, team_id=None)) == (EAST, None, east)


async def test_an_owner_is_given_to_what_has_none_and_taken_along(tenant: Tenant) -> None:
    east = await a_territory(tenant, "浙江", EAST, owner_id=EVE)
    west = await a_territory(tenant, "四川", WEST, owner_id=WIM)
    owned = await a_contact(tenant, address=ZHEJIANG, owner_id=SOMEBODY)
    assert given(owned) == (EAST, SOMEBODY, east)
    path = f"/v1/contacts/{owned['id']}"
    assert given(await patch(tenant, path, address=SICHUAN)) == (WEST, SOMEBODY, west)
    assert given(await patch(tenant, path, owner_id=None)) == (WEST, WIM, west)
    assert given(await patch(tenant, path, address=ZHEJIANG)) == (EAST, EVE, east)
    assert given(await patch(tenant, path, owner_id=SOMEBODY)) == (EAST, SOMEBODY, east)
    assert given(await patch(tenant, path, address=None)) == (None, SOMEBODY, None)


async def test_a_batch_is_assigned_row_by_row(tenant: Tenant) -> None:
    east = await a_territory(tenant, "浙江", EAST)
    rows = [
        {"method": "upsert", "match": "external_id", "data": {"external_ids": {"shop": str(n)}, "address": address}}
        for n, address in enumerate((ZHEJIANG, SICHUAN, ZHEJIANG))
    ]
    await tenant.client.post("/v1/contacts/batch", json={"operations": rows})
    found = await tenant.read("/v1/contacts", territory_id=east)
    assert {each["external_ids"]["shop"] for each in found["data"]} == {"0", "2"}


async def test_existing_records_follow_a_territory_from_its_making_to_its_end(
    service: ServiceUnderTest, tenant: Tenant
) -> None:
    contact = await a_contact(tenant, address=ZHEJIANG)
    path = f"/v1/contacts/{contact['id']}"
    east = await a_territory(tenant, "浙江", EAST)
    assert given(await tenant.read(path)) == (EAST, None, east)
    await patch(tenant, f"/v1/territories/{east}", team_id=WEST, owner_id=EVE)
    await until(tenant, path, (WEST, EVE, east))
    await patch(tenant, f"/v1/territories/{east}", active=False)
    await until(tenant, path, (None, None, None))
    await patch(tenant, f"/v1/territories/{east}", active=True, owner_id=None)
    await until(tenant, path, (WEST, None, east))
    before = await a_territory(tenant, "浙江", EAST, position=0)
    assert given(await tenant.read(path)) == (WEST, None, east), "made later, so it comes later"
    await patch(tenant, f"/v1/territories/{east}", position=1)
    await until(tenant, path, (EAST, None, before))
    await patch(tenant, f"/v1/territories/{before}", resource="accounts")
    await until(tenant, path, (WEST, None, east))
    assert (await tenant.client.delete(f"/v1/territories/{east}")).status_code == 204
    last = await until(tenant, path, (None, None, None))
    versions = [event.sequence for event in await service.events(CONTACT.name, key=contact["id"], at_least=8)]
    assert versions == list(range(1, last["version"] + 1)), "each is an ordinary update"


async def test_an_evaluation_is_told_of_and_a_name_starts_none(service: ServiceUnderTest, tenant: Tenant) -> None:
    assert await tenant.read("/v1/territories/evaluation") == {"pending": False, "resource": None, "started_at": None}
    east = await a_territory(tenant, "浙江", EAST)
    assert (await patch(tenant, f"/v1/territories/{east}", name="East"))["version"] == 2
    assert not (await tenant.read("/v1/territories/evaluation"))["pending"]
    await patch(tenant, f"/v1/territories/{east}", team_id=WEST)
    going_on = await tenant.read("/v1/territories/evaluation")
    assert (going_on["pending"], going_on["resource"]) in ((True, "contacts"), (True, "accounts"))
    assert going_on["started_at"]
    await evaluated(tenant)
    events = await service.events(TERRITORY.name, key=east, at_least=3)
    assert [event.sequence for event in events] == [1, 2, 3], "it is no change of the territory"


async def test_many_records_are_assigned_in_steps(service: ServiceUnderTest, tenant: Tenant) -> None:
    """More than one window, and more in it than one step changes; those in between are left alone."""
    for start in range(0, 2400, 800):
        operations = [
            {
                "method": "create",
                "data": {"wechat": f"w{n}", "address": ZHEJIANG if n % 3 else SICHUAN},
            }
            for n in range(start, start + 800)
        ]
        assert (await tenant.client.post("/v1/contacts/batch", json={"operations": operations})).status_code == 200
    east = await a_territory(tenant, "浙江", EAST)
    where = {"field": "territory_id", "op": "eq", "value": east}
    counted, cursor = 0, None
    while counted == 0 or cursor:
        body = {"where": where, "limit": 200, **({"cursor": cursor} if cursor else {})}
        page = (await tenant.client.post("/v1/contacts/search", json=body)).json()
        counted, cursor = counted + len(page["data"]), page["next_cursor"]
    assert counted == 1600
    untouched = await tenant.client.post(
        "/v1/contacts/search",
        json={"where": {"not": {"field": "territory_id", "op": "exists"}}, "limit": 200},
    )
    assert {each["version"] for each in untouched.json()["data"]} == {1}


async def test_records_written_while_a_territory_changes_are_not_passed_by(tenant: Tenant) -> None:
    async def write(number: int) -> str:
        await asyncio.sleep(number * 0.004)
        return str((await a_contact(tenant, address=ZHEJIANG))["id"])

    async def change() -> str:
        await asyncio.sleep(0.05)
        east = await a_territory(tenant, "浙江", EAST, settled=False)
        for team_id in (WEST, EAST, WEST):
            await patch(tenant, f"/v1/territories/{east}", team_id=team_id)
        return east

    east, *ids = await asyncio.gather(change(), *(write(number) for number in range(40)))
    await evaluated(tenant)
    assert {given(await tenant.read(f"/v1/contacts/{each}")) for each in ids} == {(WEST, None, east)}


@pytest.mark.parametrize(
    ("where", "pointer", "code"),
    [
        (
            {"all": [{"field": "created_at", "op": "within_last", "value": "90d"}]},
            "/where/all/0/op",
            "unknown_operator",
        ),
        ({"field": "team_id", "op": "exists"}, "/where/field", "unknown_field"),
        ({"not": {"field": "owner_id", "op": "exists"}}, "/where/not/field", "unknown_field"),
        ({"field": "territory_id", "op": "exists"}, "/where/field", "unknown_field"),
        ({"field": "updated_at", "op": "exists"}, "/where/field", "unknown_field"),
        ({"field": "size", "op": "gte", "value": 1}, "/where/field", "unknown_field"),
        ({"field": "source", "op": "eq", "value": 1}, "/where/value", "type_mismatch"),
        ({}, "/where", "malformed"),
    ],
)
async def test_a_condition_that_cannot_be_followed_is_refused_where_it_stands(
    tenant: Tenant, where: dict[str, Any], pointer: str, code: str
) -> None:
    body = {"name": "x", "resource": "contacts", "where": where, "team_id": EAST}
    answer = await tenant.client.post("/v1/territories", json=body)
    assert answer.status_code == 422, answer.text
    assert [(each["pointer"], each["code"]) for each in answer.json()["errors"]] == [(pointer, code)]


async def test_the_territory_of_a_record_cannot_be_written(tenant: Tenant) -> None:
    east = await a_territory(tenant, "浙江", EAST)
    body = {"full_name": "王伟", "territory_id": east}
    answer = await tenant.client.post("/v1/contacts", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/territory_id")


async def test_so_many_territories_can_be_active(tenant: Tenant) -> None:
    def body(number: int, **members: Any) -> dict[str, Any]:
        where = {"field": "source", "op": "eq", "value": str(number)}
        return {"name": str(number), "resource": "contacts", "where": where, "team_id": EAST, **members}

    operations = [{"method": "create", "data": body(number)} for number in range(200)]
    results = (await tenant.client.post("/v1/territories/batch", json={"operations": operations})).json()["results"]
    assert {each["status"] for each in results} == {201}
    answer = await tenant.client.post("/v1/territories", json=body(200))
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_territories")
    await tenant.create("/v1/territories", **body(200, active=False))
    await tenant.create("/v1/territories", **body(200, resource="accounts", where={"field": "name", "op": "exists"}))
    last = await a_contact(tenant, source="199")
    assert last["territory_id"] == results[199]["id"]
    await evaluated(tenant)
