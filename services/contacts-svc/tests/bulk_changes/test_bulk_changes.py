"""What a condition finds, or a list names, is changed as if each record had been changed alone."""

from typing import Any

import pytest
from crm_contracts.ids import ContactId, UserId
from crm_kit.rights import Rights
from crm_kit.rights.grants import Access, Action, Grant, Level
from crm_testkit.jobs import ended
from crm_testkit.service import ServiceUnderTest, Tenant

PATH = "/v1/bulk-changes"
HANGZHOU = {"field": "address.city", "op": "eq", "value": "杭州"}
CLEAR: dict[Any, Access] = {"open": "write", "personal": "write", "commercial": "write", "private": "write"}


@pytest.fixture
def tenant(service: ServiceUnderTest) -> Tenant:
    return service.tenant()


async def people(tenant: Tenant, count: int, **members: Any) -> list[str]:
    operations = [{"method": "create", "data": {"full_name": f"王{n}", **members}} for n in range(count)]
    answer = await tenant.client.post("/v1/contacts/batch", json={"operations": operations})
    assert {result["status"] for result in answer.json()["results"]} == {201}, answer.text
    return [result["id"] for result in answer.json()["results"]]


async def asked(tenant: Tenant, **body: Any) -> dict[str, Any]:
    """The bulk change once its job has ended."""
    answer = await tenant.client.post(PATH, json={"resource": "contacts", **body})
    assert answer.status_code == 201, answer.text
    return await ended(tenant.client, f"{PATH}/{answer.json()['id']}")


def counts(found: dict[str, Any]) -> tuple[int, int, int, int]:
    assert found["status"] == "succeeded", found
    return found["changed"], found["unchanged"], found["passed"], found["failed"]


async def failures(tenant: Tenant, found: dict[str, Any]) -> dict[str, str]:
    page = await tenant.read(f"{PATH}/{found['id']}/failures")
    return {each["id"]: each["problem"]["code"] for each in page["data"]}


async def test_all_that_the_condition_finds_is_changed_once_with_its_events(
    service: ServiceUnderTest, tenant: Tenant
) -> None:
    here, there = await people(tenant, 450, address={"city": "杭州"}), await people(tenant, 3)
    found = await asked(tenant, where=HANGZHOU, action="update", patch={"source": "fair", "address": {"city": None}})
    assert counts(found) == (450, 0, 0, 0), "what has left the condition by its change is not met again"
    job = await tenant.read(f"/internal/jobs/{found['job_id']}")
    assert (job["progress"], job["kind"]) == ({"done": 450, "total": 450}, "bulk_change")
    for path in (here[0], here[-1]):
        record = await tenant.read(f"/v1/contacts/{path}")
        assert (record["version"], record["source"], record["address"]["city"]) == (2, "fair", None)
    assert (await tenant.read(f"/v1/contacts/{there[0]}"))["version"] == 1
    [_, updated] = await service.events("crm.contacts.contact", key=here[7], at_least=2)
    assert (updated.action, updated.changed) == ("updated", ("address", "source"))


async def test_tags_come_and_go(tenant: Tenant) -> None:
    first, second = (await people(tenant, 1, tags=["a", "b"])) + (await people(tenant, 1, tags=["c"]))
    found = await asked(tenant, ids=[second, first], action="tag", add_tags=["c", "d"], remove_tags=["a"])
    assert counts(found) == (2, 0, 0, 0)
    assert (await tenant.read(f"/v1/contacts/{first}"))["tags"] == ["b", "c", "d"]
    assert (await tenant.read(f"/v1/contacts/{second}"))["tags"] == ["c", "d"]
    again = await asked(tenant, ids=[second, first], action="tag", add_tags=["d"])
    assert counts(again) == (0, 2, 0, 0)


async def test_archived_restored_and_deleted(tenant: Tenant) -> None:
    everyone = {"field": "id", "op": "exists", "value": True}
    await people(tenant, 5)
    assert counts(await asked(tenant, where=everyone, action="archive")) == (5, 0, 0, 0)
    assert (await tenant.read("/v1/contacts"))["data"] == []
    assert counts(await asked(tenant, where=everyone, action="delete")) == (0, 0, 0, 0), "the archived is left out"
    assert counts(await asked(tenant, where=everyone, action="restore")) == (5, 0, 0, 0)
    assert len((await tenant.read("/v1/contacts"))["data"]) == 5
    assert counts(await asked(tenant, where=everyone, action="delete")) == (5, 0, 0, 0)
    assert (await tenant.read("/v1/contacts", archived="include"))["data"] == []


async def test_accounts_too(tenant: Tenant) -> None:
    account = (await tenant.create("/v1/accounts", name="云帆"))["id"]
    found = await asked(tenant, resource="accounts", ids=[account], action="update", patch={"industry": "IT"})
    assert counts(found) == (1, 0, 0, 0)
    assert (await tenant.read(f"/v1/accounts/{account}"))["industry"] == "IT"


async def test_what_cannot_be_changed_is_told_and_spoils_no_other(tenant: Tenant) -> None:
    stages = [{"name": "lead", "label": {"en": "Lead"}, "transitions_to": []}, {"name": "won", "label": {"en": "Won"}}]
    stages += [{"name": "open", "label": {"en": "Open"}}]
    answer = await tenant.client.patch("/v1/lifecycle", json={"initial": "lead", "stages": stages})
    assert answer.status_code == 200, answer.text
    fine = await people(tenant, 120, lifecycle_stage="open")
    stuck = await people(tenant, 2, lifecycle_stage="lead")
    gone = ContactId.new()
    changed_since = fine[0]
    found = await asked(
        tenant,
        ids=[*fine, *stuck, gone],
        versions={changed_since: 7, fine[1]: 1},
        action="update",
        patch={"lifecycle_stage": "won"},
    )
    assert counts(found) == (119, 0, 0, 4)
    told = await failures(tenant, found)
    assert told == {
        changed_since: "precondition_failed",
        gone: "not_found",
        **dict.fromkeys(stuck, "stage_out_of_reach"),
    }
    first = await tenant.read(f"{PATH}/{found['id']}/failures", limit=1)
    rest = await tenant.read(f"{PATH}/{found['id']}/failures", cursor=first["next_cursor"])
    assert [each["id"] for each in first["data"] + rest["data"]] == sorted(told)


async def test_more_than_expected_changes_nothing(tenant: Tenant) -> None:
    [first, *_] = await people(tenant, 3, address={"city": "杭州"})
    found = await asked(tenant, where=HANGZHOU, action="delete", at_most=2)
    assert (found["status"], found["changed"]) == ("failed", 0)
    job = await tenant.read(f"/internal/jobs/{found['job_id']}")
    assert (job["error"]["code"], job["error"]["found"]) == ("more_than_expected", 3)
    assert (await tenant.read(f"/v1/contacts/{first}"))["version"] == 1


async def test_a_preview_tells_how_many_and_what_and_changes_nothing(service: ServiceUnderTest, tenant: Tenant) -> None:
    ids = await people(tenant, 12, address={"city": "杭州"}, tags=["old"])
    body = {"resource": "contacts", "where": HANGZHOU, "action": "update", "patch": {"tags": [], "title": "x"}}
    answer = await tenant.client.post(f"{PATH}/preview", json=body)
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert shown["found"] == {"count": 12, "kind": "exact"}
    assert [each["before"]["id"] for each in shown["sample"]] == sorted(ids)[:10]
    assert {(tuple(each["changed"]), each["after"]["title"], each["problem"]) for each in shown["sample"]} == {
        (("tags", "title"), "x", None)
    }
    gone = await tenant.client.post(
        f"{PATH}/preview", json={"resource": "contacts", "ids": [ids[0]], "versions": {ids[0]: 9}, "action": "delete"}
    )
    [each] = gone.json()["sample"]
    assert (each["after"], each["problem"]["code"]) == (None, "precondition_failed")
    going = await tenant.client.post(
        f"{PATH}/preview", json={"resource": "contacts", "ids": [ids[0], ContactId.new()], "action": "delete"}
    )
    [each] = going.json()["sample"]
    assert (each["before"]["id"], each["after"], each["problem"]) == (ids[0], None, None)
    assert (await tenant.read(PATH))["data"] == []
    [event] = await service.events("crm.contacts.contact", key=ids[0])
    assert event.sequence == 1
    assert (await tenant.read(f"/v1/contacts/{ids[0]}"))["version"] == 1


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"action": "delete"}, "", "where_or_ids"),
        ({"action": "delete", "where": HANGZHOU, "ids": [ContactId.new()]}, "", "where_or_ids"),
        ({"action": "delete", "ids": ["account_01jd3zq8w9e2vbx7k5m4n6p8qr"]}, "", "other_resource"),
        ({"action": "update", "where": HANGZHOU}, "", "patch"),
        ({"action": "delete", "where": HANGZHOU, "patch": {"title": "x"}}, "", "patch"),
        ({"action": "tag", "where": HANGZHOU}, "", "tags"),
        ({"action": "archive", "where": HANGZHOU, "versions": {ContactId.new(): 1}}, "", "other_id"),
        ({"action": "archive", "where": {"field": "shoe", "op": "eq", "value": 1}}, "/where/field", "unknown_field"),
        ({"action": "update", "where": HANGZHOU, "patch": {"shoe": 1}}, "/patch/shoe", "unknown_field"),
        ({"action": "update", "where": HANGZHOU, "patch": {"birthday": "soon"}}, "/patch/birthday", "format"),
        (
            {"action": "update", "where": HANGZHOU, "patch": {"emails": [{"address": "x"}]}},
            "/patch/emails/0/address",
            "too_short",
        ),
    ],
)
async def test_what_no_record_could_be_changed_by_is_refused_at_once(
    tenant: Tenant, body: dict[str, Any], pointer: str, code: str
) -> None:
    for path in (PATH, f"{PATH}/preview"):
        answer = await tenant.client.post(path, json={"resource": "contacts", **body})
        assert answer.status_code == 422, answer.text
        assert [(each["pointer"], each["code"]) for each in answer.json()["errors"]] == [(pointer, code)]


async def test_what_was_done_and_by_whom_is_in_the_audit_log(tenant: Tenant) -> None:
    [record] = await people(tenant, 1, address={"city": "杭州"})
    found = await asked(tenant, where=HANGZHOU, action="update", patch={"title": "x"})
    entries = (await tenant.read("/internal/audit-log", resource="contact"))["data"]
    told = {each["action"]: each for each in entries}
    assert told["bulk_changed"]["changes"]["bulk_change"]["after"] == found["id"]
    assert told["bulk_changed"]["changes"]["members"]["after"] == ["title"]
    assert (told["updated"]["entity_id"], told["updated"]["actor"]) == (record, found["requested_by"])


async def test_a_busy_one_is_not_deleted_and_one_that_ended_is_with_its_failures(tenant: Tenant) -> None:
    found = await asked(tenant, ids=[ContactId.new()], action="delete")
    assert counts(found) == (0, 0, 0, 1)
    assert (await tenant.client.delete(f"{PATH}/{found['id']}")).status_code == 204
    assert (await tenant.client.get(f"{PATH}/{found['id']}/failures")).status_code == 404


def grant(level: Level, *actions: Action, resource: str = "contacts", fields: Any = CLEAR) -> Grant:
    return Grant(frozenset({resource}), frozenset(actions), level, fields)


MINE = grant("own", "read", "create", "delete", resource="bulk-changes")


def somebody(service: ServiceUnderTest, tenant: Tenant, user: str, *grants: Grant) -> Tenant:
    return service.tenant(tenant.id, rights=Rights(user, (), (MINE, *grants), admin=False))


async def test_it_reaches_as_far_as_the_rights_of_who_asks(service: ServiceUnderTest, tenant: Tenant) -> None:
    me = UserId.new()
    mine, theirs = await people(tenant, 60, owner_id=me), await people(tenant, 2, owner_id=UserId.new())
    some = somebody(service, tenant, me, grant("own", "read", "update"))
    everyone = {"field": "created_at", "op": "exists", "value": True}
    assert counts(await asked(some, where=everyone, action="update", patch={"title": "x"})) == (60, 0, 0, 0)
    assert (await tenant.read(f"/v1/contacts/{theirs[0]}"))["title"] is None
    named = await asked(some, ids=[mine[0], theirs[0]], action="update", patch={"title": "y"})
    assert counts(named) == (1, 0, 0, 1)
    assert await failures(some, named) == {theirs[0]: "not_found"}
    seeing = somebody(service, tenant, me, grant("own", "read", "update"), grant("all", "read"))
    named = await asked(seeing, where=everyone, action="archive")
    assert counts(named) == (60, 0, 0, 2)
    assert set((await failures(seeing, named)).values()) == {"forbidden"}
    refused = await some.client.post(PATH, json={"resource": "contacts", "where": everyone, "action": "delete"})
    assert (refused.status_code, refused.json()["missing_permission"]) == (403, "contacts:delete")
    others = somebody(service, tenant, UserId.new(), grant("own", "read", "update"))
    assert (await others.client.get(f"{PATH}/{named['id']}")).status_code == 404
    assert (await others.client.get(f"{PATH}/{named['id']}/failures")).status_code == 404


async def test_a_preview_shows_what_lists_show(service: ServiceUnderTest, tenant: Tenant) -> None:
    me = UserId.new()
    await people(tenant, 1, owner_id=me, title="Head", phones=[{"number": "+8613800138000"}])
    fields: Any = {"open": "write", "personal": "masked"}
    some = somebody(service, tenant, me, grant("own", "read", "update", fields=fields))
    body = {"resource": "contacts", "where": {"field": "owner_id", "op": "eq", "value": me}, "action": "update"}
    answer = await some.client.post(f"{PATH}/preview", json={**body, "patch": {"source": "fair"}})
    [each] = answer.json()["sample"]
    for shown in (each["before"], each["after"]):
        assert (shown["phones"][0]["number"], "title" in shown) == ("+86138****8000", False)
    answer = await some.client.post(f"{PATH}/preview", json={**body, "patch": {"title": "x"}})
    [each] = answer.json()["sample"]
    assert (each["after"], each["problem"]["code"]) == (None, "forbidden")
    hidden = {"field": "title", "op": "eq", "value": "Head"}
    answer = await some.client.post(f"{PATH}/preview", json={**body, "where": hidden, "patch": {"source": "x"}})
    assert answer.status_code == 403, "by what a condition finds a member can be guessed"


async def test_another_tenant_changes_nothing(service: ServiceUnderTest, tenant: Tenant) -> None:
    [record] = await people(tenant, 1)
    other = service.tenant()
    found = await asked(other, ids=[record], action="delete")
    assert counts(found) == (0, 0, 0, 1)
    assert await failures(other, found) == {record: "not_found"}
    assert (await tenant.read(f"/v1/contacts/{record}"))["version"] == 1
