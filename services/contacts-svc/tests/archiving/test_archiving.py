"""What is archived leaves lists and searches, is found by its id, and comes back."""

from typing import Any

import pytest
from crm_contracts.ids import UserId
from crm_kit.rights import Rights
from crm_kit.rights.grants import Access, Action, Grant
from crm_testkit.exporting import file_of
from crm_testkit.service import ServiceUnderTest, Tenant

BODIES = {"contacts": {"full_name": "王伟"}, "accounts": {"name": "云帆科技"}}
ALL = {"field": "archived", "op": "exists", "value": True}


@pytest.fixture
def tenant(service: ServiceUnderTest) -> Tenant:
    return service.tenant()


async def act(tenant: Tenant, path: str, status: int = 200, **headers: str) -> dict[str, Any]:
    answer = await tenant.client.post(path, headers=headers)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def ids(tenant: Tenant, path: str, **params: Any) -> set[str]:
    return {each["id"] for each in (await tenant.read(path, **params))["data"]}


async def found(tenant: Tenant, resource: str, where: dict[str, Any] | None = None) -> set[str]:
    answer = await tenant.client.post(f"/v1/{resource}/search", json={"where": where} if where else {})
    assert answer.status_code == 200, answer.text
    return {each["id"] for each in answer.json()["data"]}


@pytest.mark.parametrize("resource", BODIES)
async def test_the_archived_is_left_out_unless_it_is_asked_for(tenant: Tenant, resource: str) -> None:
    path = f"/v1/{resource}"
    kept, gone = [(await tenant.create(path, **BODIES[resource]))["id"] for _ in range(2)]
    archived = await act(tenant, f"{path}/{gone}/archive")
    assert (archived["version"], archived["archived_at"] is None) == (2, False)
    assert await tenant.read(f"{path}/{gone}") == archived
    assert await ids(tenant, path) == await ids(tenant, path, archived="false") == {kept}
    assert await ids(tenant, path, archived="true") == {gone}
    assert await ids(tenant, path, archived="include") == {kept, gone}
    assert await found(tenant, resource) == {kept}
    assert await found(tenant, resource, {"field": "archived", "op": "eq", "value": True}) == {gone}
    assert await found(tenant, resource, ALL) == {kept, gone}
    restored = await act(tenant, f"{path}/{gone}/restore")
    assert (restored["version"], restored["archived_at"]) == (3, None)
    assert await ids(tenant, path) == {kept, gone}


@pytest.mark.parametrize("resource", BODIES)
async def test_each_is_told_once(service: ServiceUnderTest, tenant: Tenant, resource: str) -> None:
    path = f"/v1/{resource}"
    record = (await tenant.create(path, **BODIES[resource]))["id"]
    for verb in ("restore", "archive", "archive", "restore", "restore"):
        await act(tenant, f"{path}/{record}/{verb}")
    events = await service.events(f"crm.contacts.{resource[:-1]}", key=record, at_least=3)
    assert [event.type.split(".")[-2] for event in events] == ["created", "archived", "restored"]
    assert [event.changed for event in events[1:]] == [("archived_at",)] * 2


async def test_a_version_is_asked_for_and_what_cannot_be_is_refused(tenant: Tenant) -> None:
    record = (await tenant.create("/v1/contacts", full_name="王伟"))["id"]
    path = f"/v1/contacts/{record}/archive"
    assert (await act(tenant, path, 412, **{"If-Match": '"9"'}))["code"] == "precondition_failed"
    assert (await act(tenant, "/v1/contacts/contact_01jd3zq8w9e2vbx7k5m4n6p8qr/archive", 404))["code"] == "not_found"
    answer = await tenant.client.get("/v1/contacts", params={"archived": "maybe"})
    [error] = answer.json()["errors"]
    assert (answer.status_code, error["pointer"], error["code"]) == (422, "?archived", "choice")


async def test_a_cursor_belongs_to_what_was_asked(tenant: Tenant) -> None:
    for _ in range(3):
        await tenant.create("/v1/contacts", full_name="王伟")
    cursor = (await tenant.read("/v1/contacts", limit=1))["next_cursor"]
    answer = await tenant.client.get("/v1/contacts", params={"limit": 1, "cursor": cursor, "archived": "include"})
    assert answer.json()["code"] == "invalid_cursor", answer.text


async def test_the_archived_is_nobodys_duplicate_until_it_is_back(tenant: Tenant) -> None:
    body = {"full_name": "司马相如", "phones": [{"number": "+8613912340000"}], "wechat": "xiangru"}
    first, second = [(await tenant.create("/v1/contacts", **body))["id"] for _ in range(2)]
    path = f"/v1/contacts/{first}/duplicates"
    assert [each["contact"]["id"] for each in (await tenant.read(path))["data"]] == [second]
    await act(tenant, f"/v1/contacts/{second}/archive")
    assert (await tenant.read(path))["data"] == []
    await act(tenant, f"/v1/contacts/{first}/archive")
    answer = await tenant.client.post("/v1/contacts?duplicates=refuse", json=body)
    assert answer.status_code == 201, answer.text


async def test_an_export_leaves_it_out_as_a_list_does(tenant: Tenant) -> None:
    for name in ("王伟", "李娜"):
        record = await tenant.create("/v1/contacts", full_name=name)
    await act(tenant, f"/v1/contacts/{record['id']}/archive")
    assert "李娜" not in (await file_of(tenant.client, columns=["full_name"])).decode()
    assert "李娜" in (await file_of(tenant.client, columns=["full_name"], where=ALL)).decode()


async def test_what_is_archived_is_found_by_what_identifies_it(tenant: Tenant) -> None:
    """Otherwise it would be there twice after an import, and could not come back."""
    record = (await tenant.create("/v1/contacts", full_name="王伟", external_ids={"shop": "1"}))["id"]
    await act(tenant, f"/v1/contacts/{record}/archive")
    operation = {"method": "upsert", "match": "external_id", "data": {"external_ids": {"shop": "1"}, "title": "x"}}
    answer = await tenant.client.post("/v1/contacts/batch", json={"operations": [operation]})
    assert [(each["status"], each["id"]) for each in answer.json()["results"]] == [(200, record)]
    changed = await tenant.read(f"/v1/contacts/{record}")
    assert (changed["title"], changed["archived_at"] is None) == ("x", False)


async def test_the_archived_goes_back_into_no_pool_and_is_not_claimed(tenant: Tenant) -> None:
    pool = (await tenant.create("/v1/pools", name="华东", return_after_days=30))["id"]
    user = UserId.new()
    held = await tenant.create("/v1/contacts", full_name="王伟", pool_id=pool, owner_id=user)
    path = f"/v1/contacts/{held['id']}"
    assert held["returns_at"] is not None
    assert (await act(tenant, f"{path}/archive"))["returns_at"] is None
    assert (await act(tenant, f"{path}/restore"))["returns_at"] >= held["returns_at"]
    free = (await tenant.create("/v1/contacts", full_name="李娜", pool_id=pool))["id"]
    await act(tenant, f"/v1/contacts/{free}/archive")
    answer = await tenant.client.post(f"/v1/contacts/{free}/claim", json={"user_id": user})
    assert (answer.status_code, answer.json()["code"]) == (409, "claim_of_archived")


@pytest.mark.parametrize(
    ("actions", "fields", "status"),
    [
        (("read", "update"), {"open": "write"}, 200),
        (("read", "update"), {"open": "read", "personal": "write"}, 403),
        (("read",), {"open": "write"}, 403),
        ((), {}, 404),
    ],
)
async def test_it_takes_the_right_to_change_what_is_open(
    service: ServiceUnderTest, tenant: Tenant, actions: tuple[Action, ...], fields: dict[Any, Access], status: int
) -> None:
    me = UserId.new()
    record = (await tenant.create("/v1/contacts", full_name="王伟", owner_id=me if actions else UserId.new()))["id"]
    grants = (
        Grant(frozenset({"contacts"}), frozenset(actions or ("read", "update")), "own", fields or {"open": "write"}),
    )
    some = service.tenant(tenant.id, rights=Rights(me, (), grants, admin=False))
    answer = await some.client.post(f"/v1/contacts/{record}/archive")
    assert answer.status_code == status, answer.text
