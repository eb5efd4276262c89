"""An export holds what who asked for it sees in lists, of the records that they may export; and is theirs."""

import csv
import io
from typing import Any

import orjson
import pytest
from crm_contracts.ids import UserId
from crm_kit.rights import Rights
from crm_kit.rights.grants import Access, Action, Grant, Level
from crm_testkit.exporting import exported, file_of
from crm_testkit.service import ServiceUnderTest, Tenant

ME = UserId.new()
CONTACT = {
    "full_name": "欧阳晓梅",
    "emails": [{"address": "xiaomei@example.com"}],
    "phones": [{"number": "+8613800138000"}],
    "birthday": "1990-05-17",
    "external_ids": {"erp": "K-1001"},
    "source": "fair",
    "custom": {"level": "gold"},
}
MASKED: dict[str, Access] = {"open": "read", "personal": "masked"}
CLEAR: dict[str, Access] = {"open": "read", "personal": "read", "commercial": "read", "private": "read"}


def grant(level: Level, fields: dict[str, Access], *actions: Action, resource: str = "contacts", **more: Any) -> Grant:
    return Grant(frozenset({resource}), frozenset(actions or ("read", "export")), level, fields, **more)  # type: ignore[arg-type]  # the words are those of the vocabulary


MY_EXPORTS = grant("own", CLEAR, "read", "export", "delete", resource="exports")


def somebody(service: ServiceUnderTest, tenant: Tenant, *grants: Grant, user: str = ME, admin: bool = False) -> Tenant:
    return service.tenant(tenant.id, rights=Rights(user, (), grants, admin=admin))


@pytest.fixture
def tenant(service: ServiceUnderTest) -> Tenant:
    return service.tenant()


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


async def test_masked_and_hidden_members_are_as_in_lists(service: ServiceUnderTest, tenant: Tenant) -> None:
    await tenant.create("/v1/contacts", **CONTACT)
    some = somebody(service, tenant, grant("all", MASKED), MY_EXPORTS)
    found = await exported(some.client)
    assert found["status"] == "succeeded", found
    assert found["shown"] == ["open"]
    assert not {"birthday", "external_ids.erp", "custom.level", "title", "account.name"} & set(found["columns"])
    [row] = rows_of((await some.client.get(found["file"])).content)
    assert (row["full_name"], row["email"], row["source"]) == ("欧***", "x***@example.com", "fair")
    assert row["phone"] == "'+86138****8000"
    [seen] = (await some.read("/v1/contacts"))["data"]
    [line] = (await file_of(some.client, format="ndjson")).splitlines()
    told = orjson.loads(line)
    assert {name: seen[name] for name in told if name in seen} == {name: told[name] for name in told if name in seen}
    assert not {"external_ids", "custom", "birthday"} & told.keys()


async def test_a_column_that_is_never_seen_is_refused_with_its_place(service: ServiceUnderTest, tenant: Tenant) -> None:
    some = somebody(service, tenant, grant("all", MASKED), MY_EXPORTS)
    for column in ("birthday", "external_ids.erp", "custom.level", "account.name"):
        answer = await some.client.post("/v1/exports", json={"resource": "contacts", "columns": ["source", column]})
        assert answer.status_code == 403, answer.text
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/columns/1"]
        assert answer.json()["missing_permission"] == f"contacts.{column}:read"
    for asked in ({"where": {"field": "birthday", "op": "exists", "value": True}}, {"sort": ["full_name"]}):
        answer = await some.client.post("/v1/exports", json={"resource": "contacts", **asked})
        assert answer.status_code == 403, answer.text


async def test_records_are_those_that_may_be_read_and_exported(service: ServiceUnderTest, tenant: Tenant) -> None:
    mine = await tenant.create("/v1/contacts", **CONTACT | {"owner_id": ME, "external_ids": {}})
    theirs = await tenant.create("/v1/contacts", **CONTACT | {"owner_id": UserId.new()})
    own = somebody(service, tenant, grant("own", CLEAR), grant("all", MASKED, "read"), MY_EXPORTS)
    assert [row["id"] for row in rows_of(await file_of(own.client, columns=["id"]))] == [mine["id"]]
    both = somebody(service, tenant, grant("own", CLEAR), grant("all", MASKED), MY_EXPORTS)
    shown = {row["id"]: row["full_name"] for row in rows_of(await file_of(both.client, columns=["id", "full_name"]))}
    assert shown == {mine["id"]: "欧阳晓梅", theirs["id"]: "欧***"}
    found = await exported(both.client, columns=["id", "full_name"])
    assert found["shown"] == ["open", "personal"]
    fair = {"field": "source", "op": "eq", "value": "web"}
    under = somebody(service, tenant, grant("all", CLEAR, where=fair), MY_EXPORTS)
    assert rows_of(await file_of(under.client, columns=["id"])) == []


@pytest.mark.parametrize("missing", ["read", "export"])
async def test_it_takes_both_permissions(service: ServiceUnderTest, tenant: Tenant, missing: str) -> None:
    actions: list[Action] = [action for action in ("read", "export") if action != missing]  # type: ignore[misc]  # as above
    some = somebody(service, tenant, grant("all", CLEAR, *actions), MY_EXPORTS)
    answer = await some.client.post("/v1/exports", json={"resource": "contacts"}, headers={"Accept-Language": "zh-CN"})
    assert (answer.status_code, answer.json()["missing_permission"]) == (403, f"contacts:{missing}"), answer.text
    without = somebody(service, tenant, grant("all", CLEAR))
    answer = await without.client.post("/v1/exports", json={"resource": "contacts"})
    assert (answer.status_code, answer.json()["missing_permission"]) == (403, "exports:export"), answer.text


async def test_a_scope_for_contacts_shows_no_account(service: ServiceUnderTest, tenant: Tenant) -> None:
    account = await tenant.create("/v1/accounts", name="云帆")
    await tenant.create("/v1/contacts", **CONTACT | {"account_id": account["id"]})
    key = service.tenant(tenant.id, scopes=frozenset({"contacts:read", "exports:read"}))
    found = await exported(key.client)
    assert not {name for name in found["columns"] if name.startswith("account.")}
    refused = await key.client.post("/v1/exports", json={"resource": "contacts", "columns": ["account.name"]})
    assert refused.status_code == 403, refused.text
    whole = await exported(tenant.client, columns=["account.name", "account"])
    assert rows_of((await tenant.client.get(whole["file"])).content)[0]["account.name"] == "云帆"
    anothers = await key.client.get(whole["file"])
    assert (anothers.status_code, anothers.json()["missing_permission"]) == (403, "accounts:read")
    assert (await key.client.get((await exported(tenant.client, columns=["title"]))["file"])).status_code == 200


async def test_the_file_is_for_who_asked_and_who_sees_everything(service: ServiceUnderTest, tenant: Tenant) -> None:
    await tenant.create("/v1/contacts", **CONTACT)
    found = await exported(somebody(service, tenant, grant("all", CLEAR), MY_EXPORTS).client)
    every = grant("all", CLEAR, "read", "export", resource="*")
    mate = somebody(service, tenant, grant("all", MASKED), grant("all", CLEAR, resource="exports"), user=UserId.new())
    assert (await mate.client.get(f"/v1/exports/{found['id']}")).status_code == 200
    for other in (mate, somebody(service, tenant, every, user=UserId.new())):
        answer = await other.client.get(found["file"])
        assert answer.status_code == 403, answer.text
    stranger = somebody(service, tenant, grant("all", CLEAR), MY_EXPORTS, user=UserId.new())
    assert (await stranger.client.get(found["file"])).status_code == 404
    assert (await stranger.read("/v1/exports"))["data"] == []
    actions: tuple[Action, ...] = ("read", "create", "update", "delete", "assign", "export")
    whole: dict[str, Access] = dict.fromkeys(("open", "personal", "commercial", "private"), "write")
    owner = somebody(service, tenant, grant("all", whole, *actions, resource="*"), user=UserId.new(), admin=True)
    assert (await owner.client.get(found["file"])).status_code == 200
    assert (await tenant.client.get(found["file"])).status_code == 200
    since = somebody(service, tenant, grant("all", CLEAR, "read"), MY_EXPORTS)
    refused = await since.client.get(found["file"])
    assert (refused.status_code, refused.json()["missing_permission"]) == (403, "contacts:export")
    assert (await service.tenant().client.get(found["file"])).status_code == 404


async def test_of_the_company_stands_there_what_is_seen_of_it(service: ServiceUnderTest, tenant: Tenant) -> None:
    company = {"name": "云帆", "external_ids": {"erp": "K-1"}}
    mine = await tenant.create("/v1/accounts", **company, owner_id=ME)
    theirs = await tenant.create("/v1/accounts", name="远山", owner_id=UserId.new())
    for account in (mine, theirs):
        await tenant.create("/v1/contacts", full_name="王伟", account_id=account["id"])
    seen: dict[str, Access] = {"open": "read", "personal": "read"}
    some = somebody(service, tenant, grant("all", seen), grant("own", seen, "read", resource="accounts"), MY_EXPORTS)
    lines = (await file_of(some.client, format="ndjson")).splitlines()
    assert [orjson.loads(line)["account"] for line in lines] == [{"name": "云帆"}, None]
    columns = ["account.name", "account.external_ids.erp"]
    [first, second] = rows_of(await file_of(tenant.client, columns=columns))
    assert (list(first.values()), list(second.values())) == (["云帆", "K-1"], ["远山", ""])
