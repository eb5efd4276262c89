"""Who sees, finds and writes custom fields: each as sensitive as it was declared, and private where it was not."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from crm_contracts.ids import UserId
from crm_kit.rights import Rights
from crm_kit.rights.grants import ACTIONS, Access, Grant
from crm_testkit.service import ServiceUnderTest, Tenant

Declare = Callable[..., Awaitable[dict[str, Any]]]
ME = UserId.new()
CUSTOM = {"level": "gold", "hobby": "钓鱼", "salary": 50_000, "passport": "E1234", "older": "x"}


def grant(where: dict[str, Any] | None = None, **fields: Access) -> Grant:
    return Grant(frozenset({"contacts"}), frozenset(ACTIONS) - {"assign"}, "all", {"open": "write", **fields}, where)  # type: ignore[arg-type]  # the words are those of the vocabulary


def somebody(service: ServiceUnderTest, tenant: Tenant, *grants: Grant) -> Tenant:
    rights = Rights.parse(Rights(ME, (), grants, admin=False).text)
    return service.tenant(tenant.id, rights=rights)


@pytest.fixture
async def path(tenant: Tenant, declare: Declare) -> str:
    contact = await tenant.create("/v1/contacts", full_name="欧阳晓梅", custom=CUSTOM)
    await declare("level", "text", sensitivity="open")
    await declare("hobby", "text", sensitivity="personal")
    await declare("salary", "number", sensitivity="commercial")
    await declare("passport", "text")
    return f"/v1/contacts/{contact['id']}"


def custom(seen: dict[str, Any]) -> tuple[dict[str, Any] | None, list[str], list[str]]:
    told = ([name for name in seen.get(word, []) if name.startswith("custom")] for word in ("redacted", "masked"))
    return (seen.get("custom"), *told)


@pytest.mark.parametrize(
    ("fields", "shown", "missing", "masked"),
    [
        ({}, ["level"], ["custom.hobby", "custom.salary", "custom.passport", "custom.*"], []),
        ({"personal": "read"}, ["level", "hobby"], ["custom.salary", "custom.passport", "custom.*"], []),
        ({"commercial": "masked"}, ["level"], ["custom.hobby", "custom.salary", "custom.passport", "custom.*"], []),
        ({"private": "read"}, ["level", "passport", "older"], ["custom.hobby", "custom.salary"], []),
        ({"personal": "read", "commercial": "read", "private": "read"}, list(CUSTOM), [], []),
    ],
)
async def test_each_is_seen_as_it_was_declared(
    service: ServiceUnderTest,
    tenant: Tenant,
    path: str,
    fields: dict[str, Access],
    shown: list[str],
    missing: list[str],
    masked: list[str],
) -> None:
    some = somebody(service, tenant, grant(**fields))
    seen = await some.read(path)
    assert custom(seen) == ({name: CUSTOM[name] for name in shown}, missing, masked)
    assert (await some.read("/v1/contacts"))["data"] == [seen]
    written = await some.client.patch(path, json={"source": "web"})
    assert custom(written.json()) == custom(seen)


async def test_texts_are_masked_and_all_else_that_may_be_masked_is_missing(
    service: ServiceUnderTest, tenant: Tenant, path: str
) -> None:
    seen = await somebody(service, tenant, grant(personal="masked")).read(path)
    assert custom(seen) == (
        {"level": "gold", "hobby": "钓***"},
        ["custom.salary", "custom.passport", "custom.*"],
        ["custom.hobby"],
    )


async def test_without_declarations_all_of_it_is_private(service: ServiceUnderTest, tenant: Tenant) -> None:
    contact = await tenant.create("/v1/contacts", full_name="a", custom=CUSTOM)
    path = f"/v1/contacts/{contact['id']}"
    seen = await somebody(service, tenant, grant(personal="read", commercial="read")).read(path)
    assert custom(seen) == (None, ["custom"], [])
    some = somebody(service, tenant, grant(private="read"))
    assert (await some.read(path))["custom"] == CUSTOM


async def test_where_no_declared_field_is_seen_the_member_is_missing(
    service: ServiceUnderTest, tenant: Tenant, declare: Declare
) -> None:
    await declare("passport", "text")
    contact = await tenant.create("/v1/contacts", full_name="a", custom={"passport": "E1"})
    seen = await somebody(service, tenant, grant()).read(f"/v1/contacts/{contact['id']}")
    assert custom(seen) == (None, ["custom"], [])


async def test_what_may_be_written_is_decided_one_by_one(service: ServiceUnderTest, tenant: Tenant, path: str) -> None:
    some = somebody(service, tenant, grant(personal="write", commercial="read"))
    assert (await some.client.patch(path, json={"custom": {"level": "a", "hobby": "b"}})).status_code == 200
    assert (await tenant.read(path))["custom"] == CUSTOM | {"level": "a", "hobby": "b"}
    for sent, refused in [
        ({"level": "a", "salary": 1}, "/custom/salary"),
        ({"passport": "E1234"}, "/custom/passport"),
        ({"older": None}, "/custom/older"),
    ]:
        answer = await some.client.patch(path, json={"custom": sent})
        assert answer.status_code == 403
        assert [each["pointer"] for each in answer.json()["errors"]] == [refused]
        assert answer.json()["missing_permission"] == f"contacts.{refused[1:].replace('/', '.')}:write"
    assert (await some.client.patch(path, json={"custom": None})).status_code == 403
    assert (await some.client.post("/v1/contacts", json={"full_name": "a", "custom": {"salary": 1}})).status_code == 403
    made = await some.client.post("/v1/contacts", json={"full_name": "a", "custom": {"level": "x"}})
    assert (made.status_code, made.json()["custom"]) == (201, {"level": "x"})


async def test_null_clears_what_one_may_write_all_of(service: ServiceUnderTest, tenant: Tenant, path: str) -> None:
    private = somebody(service, tenant, grant(private="write"))
    assert (await private.client.patch(path, json={"custom": None})).status_code == 403
    everything = grant(private="write", personal="write", commercial="write")
    answer = await somebody(service, tenant, everything).client.patch(path, json={"custom": None})
    assert (answer.status_code, answer.json()["custom"]) == (200, {})


async def test_what_is_not_seen_is_not_found_by(service: ServiceUnderTest, tenant: Tenant, path: str) -> None:
    some = somebody(service, tenant, grant(personal="read"))
    assert len((await some.read("/v1/contacts", **{"custom.level": "gold"}))["data"]) == 1
    assert len((await some.read("/v1/contacts", **{"custom.hobby": "钓鱼"}))["data"]) == 1
    for query in ("custom.salary=50000", "sort=custom.salary", "custom.passport=E1234"):
        answer = await some.client.get(f"/v1/contacts?{query}")
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), answer.text


async def test_grants_may_have_conditions_on_them(service: ServiceUnderTest, tenant: Tenant, path: str) -> None:
    other = await tenant.create("/v1/contacts", full_name="b", custom={"level": "silver"})
    gold = somebody(service, tenant, grant({"field": "custom.level", "op": "eq", "value": "gold"}))
    assert (await gold.client.get(path)).status_code == 200
    assert (await gold.client.get(f"/v1/contacts/{other['id']}")).status_code == 404
    assert [one["id"] for one in (await gold.read("/v1/contacts"))["data"]] == [path.rpartition("/")[2]]
    assert (await gold.client.patch(path, json={"custom": {"level": "silver"}})).status_code == 403
    unknown = somebody(service, tenant, grant({"field": "custom.nothing", "op": "exists", "value": False}))
    assert (await unknown.read("/v1/contacts"))["data"] == []


async def test_what_is_shown_of_a_person_is_told(service: ServiceUnderTest, tenant: Tenant, path: str) -> None:
    contact_id = path.rpartition("/")[2]
    for fields, told in (({}, None), ({"commercial": "read"}, None), ({"private": "read"}, ["private"])):
        await somebody(service, tenant, grant(**fields)).read(path)
        entries = (await tenant.read("/internal/audit-log", entity_id=contact_id, action="read"))["data"]
        shown = entries[0]["changes"]["shown"]["after"] if entries else None
        assert shown == told
