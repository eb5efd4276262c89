"""Grants with a condition: they reach those records alone of which it holds, on every path."""

from typing import Any

import pytest
from crm_contracts.ids import UserId
from crm_kit.rights import Rights
from crm_kit.rights.grants import Access, Grant
from crm_testkit.service import ServiceUnderTest, Tenant

ME = UserId.new()
CLEAR: dict[str, Access] = dict.fromkeys(("open", "personal", "commercial", "private"), "write")
FAIR = {"field": "source", "op": "eq", "value": "fair"}
WEB = {"field": "source", "op": "eq", "value": "web"}


def grant(
    level: str, *actions: str, where: dict[str, Any] | None = None, fields: dict[str, Access] | None = None
) -> Grant:
    named = frozenset(["contacts", "activities"]) if where is None else frozenset(["contacts"])
    return Grant(named, frozenset(actions), level, fields or CLEAR, where)  # type: ignore[arg-type]  # the words are those of the vocabulary


def as_me(service: ServiceUnderTest, tenant: Tenant, *grants: Grant) -> Tenant:
    parsed = Rights.parse(Rights(ME, (), grants, admin=False).text)  # as the token carries them
    return service.tenant(tenant.id, rights=parsed)


@pytest.fixture
def tenant(service: ServiceUnderTest) -> Tenant:
    return service.tenant()


async def a_few(tenant: Tenant) -> dict[str, str]:
    made = {
        "mine, web": {"owner_id": ME, "source": "web"},
        "mine, fair": {"owner_id": ME, "source": "fair"},
        "web": {"source": "web"},
        "fair": {"source": "fair"},
        "unknown": {},
    }
    return {name: (await tenant.create("/v1/contacts", full_name=name, **body))["id"] for name, body in made.items()}


async def reach(me: Tenant, contacts: dict[str, str]) -> set[str]:
    """Which of them get, list and search answer, all alike."""
    one_by_one = {
        name for name, id_ in contacts.items() if (await me.client.get(f"/v1/contacts/{id_}")).status_code == 200
    }
    answers = [await me.client.get("/v1/contacts"), await me.client.post("/v1/contacts/search", json={})]
    for answer in answers:
        seen = {one["id"] for one in answer.json()["data"]} if answer.status_code == 200 else set()
        assert seen == {contacts[name] for name in one_by_one}, answer.text
    return one_by_one


@pytest.mark.parametrize(
    ("grants", "reached"),
    [
        ([grant("all", "read", where=WEB)], {"mine, web", "web"}),
        ([grant("own", "read", where=WEB)], {"mine, web"}),
        ([grant("own", "read"), grant("all", "read", where=WEB)], {"mine, web", "mine, fair", "web"}),
        ([grant("all", "read", where={"not": WEB})], {"mine, fair", "fair", "unknown"}),
        ([grant("all", "read", where={"field": "gone", "op": "eq", "value": 1})], set()),
        ([grant("all", "read", where={"field": "gone", "op": "eq", "value": 1}), grant("own", "read")], {"mine, web", "mine, fair"}),
        ([grant("all", "update", where=WEB)], set()),
        ([grant("all", "read", where=WEB), grant("all", "read", where=FAIR)], {"mine, web", "mine, fair", "web", "fair"}),
    ],
)  # fmt: skip
async def test_every_path_reaches_the_same_records(
    service: ServiceUnderTest, tenant: Tenant, grants: list[Grant], reached: set[str]
) -> None:
    contacts = await a_few(tenant)
    assert await reach(as_me(service, tenant, *grants), contacts) == reached


async def test_what_is_seen_of_a_record_is_the_most_that_the_grants_give_which_hold_for_it(
    service: ServiceUnderTest, tenant: Tenant
) -> None:
    contacts = await a_few(tenant)
    clear = grant("all", "read", where=WEB)
    me = as_me(service, tenant, grant("all", "read", fields={"open": "read", "personal": "masked"}), clear)
    listed = {one["id"]: one for one in (await me.read("/v1/contacts"))["data"]}
    for name, id_ in contacts.items():
        read = await me.read(f"/v1/contacts/{id_}")
        assert read == listed[id_]
        assert (read["full_name"] == name) is ("web" in name), name
        assert ("masked" in read) is ("web" not in name)
    by_name = await me.read("/v1/contacts", sort="full_name")
    assert {one["id"] for one in by_name["data"]} == {contacts["web"], contacts["mine, web"]}
    assert not (await me.read("/v1/contacts", full_name="fair"))["data"]
    assert (await me.read("/v1/contacts", full_name="web"))["data"]


async def test_nothing_is_changed_out_of_its_reach_or_into_it(service: ServiceUnderTest, tenant: Tenant) -> None:
    contacts = await a_few(tenant)
    me = as_me(service, tenant, grant("all", "read"), grant("all", "create", "update", "delete", where=WEB))

    async def patch(name: str, **body: object) -> int:
        return (await me.client.patch(f"/v1/contacts/{contacts[name]}", json=body)).status_code

    assert await patch("web", title="x") == 200
    assert await patch("fair", title="x") == 403
    assert await patch("fair", source="web") == 403
    left = await me.client.patch(f"/v1/contacts/{contacts['web']}", json={"source": "fair"})
    assert (left.status_code, left.json()["missing_permission"]) == (403, "contacts:update")
    assert (await tenant.read(f"/v1/contacts/{contacts['web']}"))["source"] == "web"
    assert (await me.client.post("/v1/contacts", json={"full_name": "x", "source": "web"})).status_code == 201
    assert (await me.client.post("/v1/contacts", json={"full_name": "x", "source": "fair"})).status_code == 403
    operations = [
        {"method": "update", "id": contacts["mine, web"], "data": {"title": "y"}},
        {"method": "update", "id": contacts["mine, fair"], "data": {"title": "y"}},
        {"method": "update", "id": contacts["web"], "data": {"source": "fair"}},
        {"method": "create", "data": {"full_name": "y", "source": "fair"}},
    ]
    answer = await me.client.post("/v1/contacts/batch", json={"operations": operations})
    assert [one["status"] for one in answer.json()["results"]] == [200, 403, 403, 403]
    assert (await me.client.delete(f"/v1/contacts/{contacts['fair']}")).status_code == 403
    assert (await me.client.delete(f"/v1/contacts/{contacts['web']}")).status_code == 204


async def test_conflicts_and_matches_tell_nothing_of_what_no_condition_holds_for(
    service: ServiceUnderTest, tenant: Tenant
) -> None:
    hidden = await tenant.create("/v1/contacts", full_name="x", source="fair", external_ids={"erp": "7"})
    me = as_me(service, tenant, grant("all", "read", "create", "update", where=WEB))
    body = {"full_name": "y", "source": "web", "external_ids": {"erp": "7"}}
    answer = await me.client.post("/v1/contacts", json=body)
    assert answer.status_code == 409
    assert hidden["id"] not in answer.text
    upsert = {"method": "upsert", "match": "external_id", "data": body}
    result = (await me.client.post("/v1/contacts/batch", json={"operations": [upsert]})).json()["results"][0]
    assert result["status"] == 409
    assert hidden["id"] not in str(result)
