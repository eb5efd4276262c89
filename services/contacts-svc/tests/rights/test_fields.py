"""Which members of a contact somebody sees and writes who has not all rights."""

from typing import Any

import pytest
from crm_contracts.ids import UserId
from crm_kit.rights import Level, Rights
from crm_kit.rights.grants import ACTIONS, Access, Grant
from crm_testkit.service import ServiceUnderTest, Tenant

ME = UserId.new()
CONTACT = {
    "full_name": "欧阳晓梅",
    "emails": [{"address": "xiaomei@example.com"}],
    "phones": [{"number": "+8613800138000", "label": "mobile"}],
    "wechat": "xiaomei_1990",
    "birthday": "1990-05-17",
    "address": {"street": "Beishan Street 1", "city": "杭州"},
    "external_ids": {"erp": "K-1001"},
    "source": "fair",
    "custom": {"level": "gold"},
}


def grant(level: Level, **fields: Access) -> Grant:
    return Grant(frozenset({"contacts"}), frozenset(ACTIONS), level, fields)  # type: ignore[arg-type]  # the words are those of the vocabulary


def somebody(service: ServiceUnderTest, tenant: Tenant, *grants: Grant) -> Tenant:
    return service.tenant(tenant.id, rights=Rights(ME, (), grants, admin=False))


@pytest.fixture
def tenant(service: ServiceUnderTest) -> Tenant:
    return service.tenant()


@pytest.fixture
async def contact(tenant: Tenant) -> dict[str, Any]:
    return await tenant.create("/v1/contacts", **CONTACT)


async def test_masked_members_keep_their_form(
    service: ServiceUnderTest, tenant: Tenant, contact: dict[str, Any]
) -> None:
    path = f"/v1/contacts/{contact['id']}"
    seen = await somebody(service, tenant, grant("all", open="read", personal="masked")).read(path)
    assert seen["full_name"] == "欧***"
    assert seen["emails"] == [{"address": "x***@example.com", "primary": True, "verified": False}]
    assert seen["phones"] == [{"number": "+86138****8000", "label": "mobile"}]
    assert seen["address"]["city"] == "杭州"
    assert seen["address"]["street"] is None
    assert seen["source"] == "fair"
    assert sorted(seen["redacted"]) == [
        *("birthday", "custom", "external_ids", "lifecycle_history", "lifecycle_reason", "pool_history")
    ]
    assert seen["masked"] == ["first_name", "last_name", "full_name", "emails", "phones", "wechat", "address"]
    assert not {"birthday", "external_ids", "custom"} & seen.keys()


async def test_a_list_a_search_and_the_answer_to_a_write_show_the_same(
    service: ServiceUnderTest, tenant: Tenant, contact: dict[str, Any]
) -> None:
    some = somebody(service, tenant, grant("all", open="write", personal="masked"))
    seen = await some.read(f"/v1/contacts/{contact['id']}")
    assert (await some.read("/v1/contacts"))["data"] == [seen]
    found = await some.client.post("/v1/contacts/search", json={"where": {"field": "id", "op": "exists"}})
    assert found.json()["data"] == [seen]
    written = await some.client.patch(f"/v1/contacts/{contact['id']}", json={"source": "web"})
    changed = {"source": "web", "version": 2, "updated_at": written.json()["updated_at"]}
    assert written.json() == seen | changed


async def test_a_phone_may_be_clear_in_ones_own_records_and_masked_in_others(
    service: ServiceUnderTest, tenant: Tenant, contact: dict[str, Any]
) -> None:
    mine = await tenant.create("/v1/contacts", **CONTACT | {"owner_id": ME, "external_ids": {}})
    some = somebody(
        service, tenant, grant("own", open="write", personal="write"), grant("all", open="read", personal="masked")
    )
    shown = {one["id"]: one["phones"][0]["number"] for one in (await some.read("/v1/contacts"))["data"]}
    assert shown == {mine["id"]: "+8613800138000", contact["id"]: "+86138****8000"}
    # A filter on what is masked elsewhere finds no more than what is clear.
    found = await some.read("/v1/contacts", phone="+8613800138000")
    assert [one["id"] for one in found["data"]] == [mine["id"]]
    unlike = {"not": {"field": "phone", "op": "eq", "value": "+8613700137000"}}
    answer = await some.client.post("/v1/contacts/search", json={"where": unlike})
    assert [one["id"] for one in answer.json()["data"]] == [mine["id"]]


@pytest.mark.parametrize("access", ["hidden", "masked"])
async def test_what_is_not_readable_neither_filters_nor_sorts(
    service: ServiceUnderTest, tenant: Tenant, contact: dict[str, Any], access: Access
) -> None:
    some = somebody(service, tenant, grant("all", open="write", personal=access))
    for params in ({"phone": "+8613800138000"}, {"email": "xiaomei@example.com"}, {"external_id": "erp:K-1001"}):
        refused = await some.client.get("/v1/contacts", params=params)
        assert refused.status_code == 403, params
        assert refused.json()["missing_permission"] == f"contacts.{next(iter(params))}:read"
        assert contact["id"] not in refused.text
    for sort in ("full_name", "-birthday"):
        assert (await some.client.get("/v1/contacts", params={"sort": sort})).status_code == 403
        assert (await some.client.post("/v1/contacts/search", json={"sort": [sort]})).status_code == 403
    nested = {"any": [{"field": "source", "op": "eq", "value": "fair"}, {"not": {"field": "wechat", "op": "exists"}}]}
    assert (await some.client.post("/v1/contacts/search", json={"where": nested})).status_code == 403
    assert len((await some.read("/v1/contacts", source="fair", sort="created_at"))["data"]) == 1


@pytest.mark.parametrize("access", ["hidden", "masked", "read"])
async def test_what_is_not_writable_is_refused_whatever_value_is_sent(
    service: ServiceUnderTest, tenant: Tenant, contact: dict[str, Any], access: Access
) -> None:
    """The value it has already is refused too: from a different answer it could be guessed."""
    some = somebody(service, tenant, grant("all", open="write", personal=access))
    path = f"/v1/contacts/{contact['id']}"
    for patch in (
        {"birthday": "1990-05-17"},
        {"birthday": "1991-01-01"},
        {"phones": []},
        {"source": "x", "wechat": None},
    ):
        refused = await some.client.patch(path, json=patch)
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (403, "not_writable"), patch
    made = await some.client.post("/v1/contacts", json={"full_name": "x"})
    assert (made.status_code, made.json()["missing_permission"]) == (403, "contacts.full_name:write")
    batch = {"operations": [{"method": "update", "id": contact["id"], "data": {"birthday": None}}]}
    answer = await some.client.post("/v1/contacts/batch", json=batch)
    assert answer.json()["results"][0]["error"]["missing_permission"] == "contacts.birthday:write"
    assert await tenant.read(path) == contact


async def test_what_was_never_classed_is_for_those_alone_who_may_see_everything(
    service: ServiceUnderTest, tenant: Tenant, contact: dict[str, Any]
) -> None:
    path = f"/v1/contacts/{contact['id']}"
    less = await somebody(service, tenant, grant("all", open="write", personal="write", commercial="write")).read(path)
    assert less["redacted"] == ["custom"]
    everything = grant("all", open="write", personal="write", commercial="write", private="read")
    assert await somebody(service, tenant, everything).read(path) == contact


async def test_a_share_for_reading_widens_nothing_that_may_be_written(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    own = Grant(frozenset({"contacts"}), frozenset({"read", "update"}), "own", {"open": "write", "personal": "write"})
    every = Grant(frozenset({"contacts"}), frozenset({"read", "update"}), "all", {"open": "write"})
    user_id = UserId.new()
    me = service.tenant(tenant.id, rights=Rights(user_id, (), [own, every], admin=False))
    for access, status in (("read", 403), ("write", 200)):
        shares = [{"user_id": user_id, "access": access}]
        contact = await tenant.create("/v1/contacts", full_name="欧阳晓梅", shares=shares)
        path = f"/v1/contacts/{contact['id']}"
        assert (await me.read(path))["full_name"] == "欧阳晓梅"
        assert (await me.client.patch(path, json={"source": "web"})).status_code == 200
        answer = await me.client.patch(path, json={"full_name": "李四"})
        assert answer.status_code == status, answer.text
        assert (await me.read(path))["full_name"] == ("李四" if status == 200 else "欧阳晓梅")
