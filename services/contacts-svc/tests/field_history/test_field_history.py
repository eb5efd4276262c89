"""What a field was, when, by whom and from where: as far as the caller sees the field now."""

import asyncio
import re
from typing import Any

import pytest
from contacts_svc.features.field_history.repository import forget
from crm_contracts.ids import TeamId, UserId
from crm_kit.rights import Rights
from crm_kit.rights.grants import Access, Grant
from crm_testkit.importing import imported
from crm_testkit.jobs import ended
from crm_testkit.service import ServiceUnderTest, Tenant


@pytest.fixture
def tenant(service: ServiceUnderTest) -> Tenant:
    return service.tenant()


async def patched(tenant: Tenant, path: str, *changes: dict[str, Any]) -> None:
    for change in changes:
        answer = await tenant.client.patch(path, json=change)
        assert answer.status_code == 200, answer.text


async def history(tenant: Tenant, path: str, fields: str) -> list[tuple[str, Any]]:
    return [(each["field"], each["value"]) for each in (await tenant.read(f"{path}/history", fields=fields))["data"]]


async def sources(tenant: Tenant, path: str, fields: str) -> list[tuple[Any, str, str | None]]:
    data = (await tenant.read(f"{path}/history", fields=fields))["data"]
    return [(each["value"], each["source"]["kind"], each["source"]["id"]) for each in data]


async def test_the_newest_value_comes_first_with_who_and_when(tenant: Tenant) -> None:
    contact = await tenant.create("/v1/contacts", full_name="王伟", title="Buyer")
    path = f"/v1/contacts/{contact['id']}"
    await patched(tenant, path, {"title": "Head"}, {"source": "fair"}, {"title": None})
    found = await tenant.read(path, history="title,source,birthday")
    assert found["full_name"] == "王伟"
    assert found["history_next"] is None
    title = found["history"]["title"]
    assert [(each["value"], each["version"]) for each in title] == [(None, 4), ("Head", 2), ("Buyer", 1)]
    [created] = (await tenant.read("/internal/audit-log", entity_id=contact["id"], action="created"))["data"]
    assert {each["actor_id"] for each in title} == {created["actor"]}
    assert {(each["source"]["kind"], each["omitted"]) for each in title} == {("api", False)}
    assert title[0]["at"] >= found["updated_at"]
    assert ([each["value"] for each in found["history"]["source"]], found["history"]["birthday"]) == (["fair"], [])
    assert "history" not in await tenant.read(path)


async def test_custom_values_have_each_their_own(tenant: Tenant) -> None:
    account = await tenant.create("/v1/accounts", name="云帆", custom={"level": "gold", "size": 3})
    path = f"/v1/accounts/{account['id']}"
    await patched(tenant, path, {"custom": {"level": "iron"}}, {"custom": {"size": 4}}, {"custom": {"level": None}})
    assert await history(tenant, path, "custom.level") == [
        ("custom.level", None),
        ("custom.level", "iron"),
        ("custom.level", "gold"),
    ]
    assert [value for _, value in await history(tenant, path, "custom.size")] == [4, 3]


async def test_it_is_read_page_by_page_and_none_comes_twice(tenant: Tenant) -> None:
    contact = await tenant.create("/v1/contacts", full_name="王伟", title="0")
    path = f"/v1/contacts/{contact['id']}"
    await patched(tenant, path, *({"title": str(n)} for n in range(1, 8)))
    values: list[str] = []
    answer = await tenant.client.get(f"{path}/history", params={"fields": "title", "limit": 3})
    while True:
        page = answer.json()
        values += [each["value"] for each in page["data"]]
        if page["next_cursor"] is None:
            break
        assert len(page["data"]) == 3
        answer = await tenant.client.get(re.findall("<(.*)>", answer.headers["link"])[0])
    assert values == [str(n) for n in range(7, -1, -1)]


async def test_without_fields_every_change_is_told(tenant: Tenant) -> None:
    await tenant.create("/v1/custom-fields", resource="accounts", name="level", label={"en": "Level"}, type="text")
    account = await tenant.create("/v1/accounts", name="云帆")
    path = f"/v1/accounts/{account['id']}"
    await patched(tenant, path, {"industry": "IT", "custom": {"level": "gold"}}, {"tags": ["vip"]})
    data = (await tenant.read(f"{path}/history"))["data"]
    assert [(each["field"], each["value"]) for each in data[:3]] == [
        ("tags", ["vip"]),
        ("industry", "IT"),
        ("custom.level", "gold"),
    ]
    assert {each["field"] for each in data if each["version"] == 1} >= {"name", "lifecycle_stage"}


async def test_where_a_change_came_from_is_told(tenant: Tenant) -> None:
    import_ = await imported(tenant.client, "姓名,职位,external_ids.erp\n王伟,Buyer,1\n".encode())
    [contact] = (await tenant.read("/v1/contacts"))["data"]
    path = f"/v1/contacts/{contact['id']}"
    body = {"resource": "contacts", "ids": [contact["id"]], "action": "update", "patch": {"title": "Head"}}
    bulk = (await tenant.client.post("/v1/bulk-changes", json=body)).json()
    await ended(tenant.client, f"/v1/bulk-changes/{bulk['id']}")
    await patched(tenant, path, {"title": None})
    other = await tenant.create("/v1/contacts", full_name="王伟", title="CEO")
    merged = await tenant.client.post(f"{path}/merge", json={"from": [other["id"]]})
    assert merged.status_code == 201, merged.text
    assert await sources(tenant, path, "title") == [
        ("CEO", "merge", None),
        (None, "api", None),
        ("Head", "bulk_change", bulk["id"]),
        ("Buyer", "import", import_["id"]),
    ]
    undone = await tenant.client.post(f"/v1/merges/{merged.json()['merge']['id']}/undo", json={})
    assert undone.status_code == 200, undone.text
    assert (await sources(tenant, path, "title"))[0] == (None, "merge", None)
    [back, *_] = await sources(tenant, f"/v1/contacts/{other['id']}", "title")
    assert back == ("CEO", "merge", None)


async def test_what_a_rule_has_given_is_told_as_such(tenant: Tenant) -> None:
    account = await tenant.create("/v1/accounts", name="云帆", industry="IT")
    path = f"/v1/accounts/{account['id']}"
    where = {"field": "industry", "op": "eq", "value": "IT"}
    team = TeamId.new()
    await tenant.create("/v1/territories", name="IT", resource="accounts", where=where, team_id=team)
    async with asyncio.timeout(20):
        while (await tenant.read(path))["team_id"] is None:
            await asyncio.sleep(0.05)
    assert await sources(tenant, path, "team_id") == [(team, "rule", None)]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ("shoe_size", 422),
        ("version", 422),
        ("custom", 422),
        ("custom.Level", 422),
        ("title,", 422),
        ("", 422),
        (",".join(f"custom.f{n}" for n in range(21)), 422),
        ("custom.shoe_size", 200),
    ],
)
async def test_what_is_no_field_is_refused(tenant: Tenant, fields: str, status: int) -> None:
    contact = await tenant.create("/v1/contacts", full_name="王伟")
    path = f"/v1/contacts/{contact['id']}"
    answer = await tenant.client.get(f"{path}/history", params={"fields": fields})
    assert answer.status_code == status, answer.text
    beside = await tenant.client.get(path, params={"history": fields})
    assert beside.status_code == status, beside.text
    if status == 422:
        assert answer.json()["errors"][0]["pointer"] == "?fields"
        assert beside.json()["errors"][0]["pointer"] == "?history"


async def test_a_long_value_is_not_kept(tenant: Tenant) -> None:
    contact = await tenant.create("/v1/contacts", full_name="王伟", custom={"note": "x" * 5000, "level": 1})
    path = f"/v1/contacts/{contact['id']}"
    [found] = (await tenant.read(f"{path}/history", fields="custom.note"))["data"]
    assert (found["value"], found["omitted"]) == (None, True)


def seeing(service: ServiceUnderTest, tenant: Tenant, user: str, **fields: Access) -> Tenant:
    grants = (Grant(frozenset({"contacts"}), frozenset({"read"}), "own", fields),)  # type: ignore[arg-type]  # as a role says it
    return service.tenant(tenant.id, rights=Rights(user, (), grants, admin=False))


async def test_who_does_not_see_a_field_does_not_see_what_it_was(service: ServiceUnderTest, tenant: Tenant) -> None:
    me = UserId.new()
    for name, sensitivity in (("level", "open"), ("salary", "private")):
        await tenant.create(
            "/v1/custom-fields",
            resource="contacts",
            name=name,
            label={"en": name},
            type="number",
            sensitivity=sensitivity,
        )
    contact = await tenant.create(
        "/v1/contacts",
        full_name="王小伟",
        title="Buyer",
        source="fair",
        owner_id=me,
        phones=[{"number": "+8613800138000"}],
        custom={"level": 1, "salary": 9},
    )
    path = f"/v1/contacts/{contact['id']}"
    await patched(tenant, path, {"phones": [{"number": "+8613900139000"}], "title": "Head"})
    asked = "title,source,phones,full_name,custom.level,custom.salary,custom.undeclared"
    some = seeing(service, tenant, me, open="read", personal="masked")
    found = await some.read(f"{path}/history", fields=asked)
    assert found["redacted"] == ["title", "custom.salary", "custom.undeclared"]
    told = {each["field"]: each["value"] for each in reversed(found["data"])}
    assert told["phones"][0]["number"] == "+86139****9000"
    assert (told["source"], told["full_name"], told["custom.level"]) == ("fair", "王***", 1)
    beside = await some.read(path, history=asked)
    assert set(beside["history"]) == {"source", "phones", "full_name", "custom.level"}
    assert "8000" in str(beside["history"]["phones"])
    assert "0013" not in str(beside["history"]["phones"])
    clear = seeing(service, tenant, me, open="read", personal="read", private="read")
    assert [each["value"] for each in (await clear.read(path, history="title"))["history"]["title"]] == [
        "Head",
        "Buyer",
    ]
    log = (await tenant.read("/internal/audit-log", entity_id=contact["id"], action="read"))["data"]
    assert {entry["actor"] for entry in log} == {me}, "that it was shown in clear is told"
    other = seeing(service, tenant, UserId.new(), open="read", personal="read")
    assert (await other.client.get(f"{path}/history", params={"fields": "source"})).status_code == 404
    stranger = service.tenant()
    assert (await stranger.client.get(f"{path}/history", params={"fields": "source"})).status_code == 404


async def test_what_is_forgotten_is_gone(service: ServiceUnderTest, tenant: Tenant) -> None:
    kept, gone = [(await tenant.create("/v1/contacts", full_name="王伟", title="Buyer"))["id"] for _ in range(2)]
    async with service.runtime.database.write(tenant.id) as session:
        assert await forget(session, gone) == 1
    assert await history(tenant, f"/v1/contacts/{gone}", "title,full_name") == []
    assert await history(tenant, f"/v1/contacts/{kept}", "title") == [("title", "Buyer")]
