"""Contacts become one, and each its own again: over HTTP, with what they are found by and what is told of them."""

import asyncio
from typing import Any

import httpx
import pytest
from crm_contracts.ids import ContactId
from crm_contracts.registry import CONTACT, MERGE
from crm_testkit.service import ServiceUnderTest, Tenant

_IGNORED = {"version", "updated_at"}


def _content(contact: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in contact.items() if name not in _IGNORED}


async def _merge(tenant: Tenant, into: dict[str, Any], *others: dict[str, Any], **options: Any) -> dict[str, Any]:
    body = {"from": [other["id"] for other in others], **options}
    answer = await tenant.client.post(f"/v1/contacts/{into['id']}/merge", json=body)
    assert answer.status_code == (200 if options.get("dry_run") else 201), answer.text
    result: dict[str, Any] = answer.json()
    return result


async def _undo(tenant: Tenant, merge: dict[str, Any]) -> httpx.Response:
    return await tenant.client.post(f"/v1/merges/{merge['id']}/undo")


async def _two(tenant: Tenant) -> tuple[dict[str, Any], dict[str, Any]]:
    wei = await tenant.create(
        "/v1/contacts",
        full_name="王伟",
        emails=[{"address": "wei@example.com", "primary": True}],
        phones=[{"number": "13800138000"}],
        external_ids={"shop": "1", "erp": "E1"},
        tags=["vip"],
        custom={"level": "gold"},
    )
    again = await tenant.create(
        "/v1/contacts",
        full_name="Wang Wei",
        title="Buyer",
        birthday="1990-05-01",
        emails=[{"address": "WEI@example.com", "verified": True}, {"address": "w.wei@example.com"}],
        external_ids={"shop": "2", "pos": "P7"},
        tags=["fair"],
        custom={"level": "silver", "size": 42},
    )
    return wei, again


async def test_two_become_one_that_lacks_nothing(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    wei, again = await _two(tenant)

    result = await _merge(tenant, wei, again)

    contact = result["contact"]
    assert contact == await tenant.read(f"/v1/contacts/{wei['id']}")
    assert (contact["full_name"], contact["title"], contact["birthday"]) == ("王伟", "Buyer", "1990-05-01")
    assert [(each["address"], each["primary"], each["verified"]) for each in contact["emails"]] == [
        ("wei@example.com", True, True),
        ("w.wei@example.com", False, False),
    ]
    assert contact["external_ids"] == {"shop": "1", "erp": "E1", "pos": "P7"}
    assert contact["other_external_ids"] == [{"system": "shop", "id": "2"}]
    assert contact["custom"] == {"level": "gold", "size": 42}
    assert contact["tags"] == ["vip", "fair"]
    assert contact["merged_from"] == [again["id"]]
    assert set(result["changed"]) == {"title", "birthday", "emails", "external_ids", "custom", "tags"}
    assert result["merge"] == await tenant.read(f"/v1/merges/{result['merge']['id']}")
    assert result["merge"]["status"] == "merged"


async def test_the_old_id_leads_to_the_one_that_is_left(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    wei, again = await _two(tenant)
    third = await tenant.create("/v1/contacts", full_name="W. Wang")
    await _merge(tenant, again, third)
    await _merge(tenant, wei, again)

    for gone in (again, third):
        for method in ("GET", "PATCH", "DELETE"):
            body = {"title": "x"} if method == "PATCH" else None
            answer = await tenant.client.request(method, f"/v1/contacts/{gone['id']}", json=body)
            assert answer.status_code == 410
            assert (answer.json()["code"], answer.json()["merged_into"]) == ("merged", wei["id"])
    # By every key of theirs an upsert finds the one that is left.
    operations = [
        {"method": "upsert", "match": "external_id", "data": {"external_ids": {"shop": "2"}, "title": "a"}},
        {"method": "upsert", "match": "email", "data": {"emails": [{"address": "w.wei@example.com"}]}},
        {"method": "update", "id": again["id"], "data": {"title": "b"}},
    ]
    results = (await tenant.client.post("/v1/contacts/batch", json={"operations": operations})).json()["results"]
    assert [result["status"] for result in results] == [200, 200, 410]
    assert {result["id"] for result in results[:2]} == {wei["id"]}
    for key in ("shop:1", "shop:2"):  # though by now the second is its own
        found = await tenant.read("/v1/contacts", external_id=key)
        assert [each["id"] for each in found["data"]] == [wei["id"]]
    listed = await tenant.read("/v1/contacts")
    assert [each["id"] for each in listed["data"]] == [wei["id"]]
    taken = await tenant.client.post("/v1/contacts", json={"full_name": "New", "external_ids": {"pos": "P7"}})
    assert taken.json()["code"] == "external_id_taken"


async def test_undoing_gives_each_back_as_it_was(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    wei, again = await _two(tenant)
    result = await _merge(tenant, wei, again)

    answer = await _undo(tenant, result["merge"])

    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "undone"
    for before in (wei, again):
        assert _content(await tenant.read(f"/v1/contacts/{before['id']}")) == _content(before)
    once_more = await _undo(tenant, result["merge"])
    assert (once_more.status_code, once_more.json()["code"]) == (409, "merge_undone")
    # It can be merged again, and that too be undone.
    second = await _merge(tenant, again, wei)
    assert (await _undo(tenant, second["merge"])).status_code == 200
    assert _content(await tenant.read(f"/v1/contacts/{wei['id']}")) == _content(wei)


async def test_what_came_after_stays_with_the_one_that_was_left(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    wei, again = await _two(tenant)
    result = await _merge(tenant, wei, again)
    patch = {
        "title": "Head of purchasing",
        "emails": [*result["contact"]["emails"], {"address": "new@example.com"}],
        "tags": ["fair", "since"],
        "custom": {"size": None, "colour": "red"},
    }
    assert (await tenant.client.patch(f"/v1/contacts/{wei['id']}", json=patch)).status_code == 200

    assert (await _undo(tenant, result["merge"])).status_code == 200

    now = await tenant.read(f"/v1/contacts/{wei['id']}")
    assert now["title"] == "Head of purchasing"  # changed since
    assert now["birthday"] is None  # the other's
    assert [each["address"] for each in now["emails"]] == ["wei@example.com", "new@example.com"]
    assert now["tags"] == ["since"]  # `vip` was taken away since, `fair` was the other's
    assert now["custom"] == {"level": "gold", "colour": "red"}
    assert _content(await tenant.read(f"/v1/contacts/{again['id']}")) == _content(again)


async def test_merges_are_undone_in_any_order(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    wei, again = await _two(tenant)
    third = await tenant.create(
        "/v1/contacts", full_name="王先生", title="Boss", emails=[{"address": "w.wei@example.com"}], language="zh"
    )
    first = await _merge(tenant, wei, again)
    second = await _merge(tenant, wei, third)
    assert second["contact"]["title"] == "Buyer"

    assert (await _undo(tenant, first["merge"])).status_code == 200

    now = await tenant.read(f"/v1/contacts/{wei['id']}")
    assert (now["title"], now["language"], now["birthday"]) == ("Boss", "zh", None)  # as if the first had never been
    assert [each["address"] for each in now["emails"]] == ["wei@example.com", "w.wei@example.com"]
    assert now["merged_from"] == [third["id"]]
    assert (await _undo(tenant, second["merge"])).status_code == 200
    for before in (wei, again, third):
        assert _content(await tenant.read(f"/v1/contacts/{before['id']}")) == _content(before)


async def test_what_was_merged_further_is_undone_last_first(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    wei, again = await _two(tenant)
    boss = await tenant.create("/v1/contacts", full_name="Boss")
    first = await _merge(tenant, wei, again)
    second = await _merge(tenant, boss, wei)
    refused = await _undo(tenant, first["merge"])
    assert (refused.status_code, refused.json()["code"]) == (409, "survivor_merged")
    assert refused.json()["merge_id"] == second["merge"]["id"]
    assert (await _undo(tenant, second["merge"])).status_code == 200
    assert (await _undo(tenant, first["merge"])).status_code == 200
    assert _content(await tenant.read(f"/v1/contacts/{again['id']}")) == _content(again)


async def test_a_dry_run_shows_the_result_and_changes_nothing(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    wei, again = await _two(tenant)
    await tenant.create(
        f"/v1/contacts/{again['id']}/consents", channel="email", purpose="news", status="granted", source="form"
    )
    shown = await _merge(tenant, wei, again, dry_run=True)
    assert shown["merge"] is None
    assert await tenant.read(f"/v1/contacts/{wei['id']}") == wei
    assert await tenant.read(f"/v1/contacts/{again['id']}") == again
    done = await _merge(tenant, wei, again)
    assert _content(done["contact"]) == _content(shown["contact"])
    assert done["changed"] == shown["changed"]
    assert [each["purpose"] for each in done["consents"]] == [each["purpose"] for each in shown["consents"]] == ["news"]


async def test_rules_decide_member_by_member(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    wei, again = await _two(tenant)
    fields = {
        "name": again["id"],
        "emails": "oldest",
        "tags": again["id"],
        "title": wei["id"],
        "external_ids": "newest",
        "custom": {"level": "newest"},
    }
    contact = (await _merge(tenant, wei, again, fields=fields))["contact"]
    assert contact["full_name"] == "Wang Wei"
    assert [each["address"] for each in contact["emails"]] == ["wei@example.com"]
    assert contact["tags"] == ["fair"]
    assert contact["title"] is None
    assert contact["external_ids"] == {"shop": "2", "pos": "P7"}
    assert contact["custom"] == {"level": "silver", "size": 42}


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"from": []}, "/from", "too_short"),
        ({"from": [ContactId.new()]}, "/from/0", "not_found"),
        ({"from": ["contact_x"]}, "/from/0", None),
        ({"from": "SELF"}, "/from", "distinct"),
        ({"from": "OTHER", "fields": {"title": ContactId.new()}}, "/fields/title", "not_merged"),
        ({"from": "OTHER", "fields": {"title": "all"}}, "/fields/title", "choice"),
        ({"from": "OTHER", "fields": {"colour": "newest"}}, "/fields/colour", "unknown_field"),
        ({"from": "OTHER", "fields": {"custom": {"level": "best"}}}, "/fields/custom/level", None),
    ],
)
async def test_what_cannot_be_merged_is_refused_by_its_place(
    service: ServiceUnderTest, body: dict[str, Any], pointer: str, code: str | None
) -> None:
    tenant = service.tenant()
    wei, again = await _two(tenant)
    ids = {"SELF": [wei["id"]], "OTHER": [again["id"]]}
    sent = {**body, "from": ids.get(body["from"], body["from"]) if isinstance(body["from"], str) else body["from"]}
    answer = await tenant.client.post(f"/v1/contacts/{wei['id']}/merge", json=sent)
    assert answer.status_code == 422, answer.text
    errors = answer.json()["errors"]
    assert any(error["pointer"].startswith(pointer) and code in (None, error["code"]) for error in errors), errors
    assert await tenant.read(f"/v1/contacts/{again['id']}") == again


async def test_of_two_merges_at_once_one_finds_the_contact_gone(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    contacts = [await tenant.create("/v1/contacts", full_name=f"Person {n}") for n in range(3)]
    answers = await asyncio.gather(
        *(
            tenant.client.post(f"/v1/contacts/{into['id']}/merge", json={"from": [other["id"]]})
            for into, other in ((contacts[0], contacts[2]), (contacts[1], contacts[2]))
        )
    )
    assert sorted(answer.status_code for answer in answers) == [201, 422]


async def test_every_step_is_told(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    wei, again = await _two(tenant)
    merge = (await _merge(tenant, wei, again))["merge"]
    await _undo(tenant, merge)
    told = await service.events(CONTACT.name, key=again["id"], at_least=4)
    assert [(event.action, event.sequence) for event in told if event.entity is not None] == [
        ("created", 1),
        ("deleted", 2),
        ("created", 3),
    ]
    survivor = await service.events(CONTACT.name, key=wei["id"], at_least=3)
    assert [event.action for event in survivor] == ["created", "merged", "unmerged"]
    merges = await service.events(MERGE.name, key=merge["id"], at_least=2)
    assert [event.action for event in merges] == ["created", "undone"]


async def test_what_is_declared_meanwhile_keeps_nobody_from_being_given_back(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    wei, again = await _two(tenant)
    merge = (await _merge(tenant, wei, again))["merge"]
    label = {"en": "Size", "zh": "规模"}
    declared = {"resource": "contacts", "label": label, "sensitivity": "open"}
    await tenant.create("/v1/custom-fields", name="level", type="number", **declared)
    await tenant.create("/v1/custom-fields", name="size", type="number", required=True, **declared)
    assert (await _undo(tenant, merge)).status_code == 200
    for before in (wei, again):
        assert _content(await tenant.read(f"/v1/contacts/{before['id']}")) == _content(before)


async def test_another_tenants_contact_is_no_contact(service: ServiceUnderTest) -> None:
    stranger = await service.tenant().create("/v1/contacts", full_name="Stranger")
    tenant = service.tenant()
    wei, again = await _two(tenant)
    merge = (await _merge(tenant, wei, again))["merge"]
    answer = await tenant.client.post(f"/v1/contacts/{wei['id']}/merge", json={"from": [stranger["id"]]})
    assert answer.status_code == 422
    other = service.tenant()
    assert (await _undo(other, merge)).status_code == 404
    assert (await other.client.get(f"/v1/contacts/{again['id']}")).status_code == 404


async def test_activities_follow_and_come_back(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    wei, again = await _two(tenant)
    mine = await tenant.create("/v1/activities", kind="call", contact_id=wei["id"])
    theirs = await tenant.create("/v1/activities", kind="call", contact_id=again["id"])
    merge = (await _merge(tenant, wei, again))["merge"]

    async def belongs_to(activity: dict[str, Any], contact: dict[str, Any]) -> None:
        async with asyncio.timeout(20):
            while (await tenant.read(f"/v1/activities/{activity['id']}"))["contact_id"] != contact["id"]:
                await asyncio.sleep(0.05)

    await belongs_to(theirs, wei)
    late = await tenant.create("/v1/activities", kind="note", contact_id=again["id"])
    assert late["contact_id"] == wei["id"]  # an old id leads to the one that is left
    await _undo(tenant, merge)
    await belongs_to(theirs, again)
    assert (await tenant.read(f"/v1/activities/{mine['id']}"))["contact_id"] == wei["id"]
    assert (await tenant.read(f"/v1/activities/{late['id']}"))["contact_id"] == wei["id"]


async def test_who_went_into_one_that_is_deleted_is_not_there(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    wei, again = await _two(tenant)
    await _merge(tenant, wei, again)
    assert (await tenant.client.delete(f"/v1/contacts/{wei['id']}")).status_code == 204
    assert (await tenant.client.get(f"/v1/contacts/{again['id']}")).status_code == 404
