"""Who has to do with whom, over HTTP and in events."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from contacts_svc.features.relating.rules import BATCH
from contacts_svc.features.relationships.usecases import MAX_OF_A_CONTACT
from crm_contracts.ids import AccountId, ContactId
from crm_contracts.registry import RELATIONSHIP
from crm_testkit.service import ServiceUnderTest, Tenant
from crm_testkit.writers import until

Made = Callable[[str], Awaitable[str]]
PATH = "/v1/relationships"


async def _relate(tenant: Tenant, **body: Any) -> httpx.Response:
    return await tenant.client.post(PATH, json=body)


async def _fault(tenant: Tenant, **body: Any) -> tuple[int, str, str]:
    answer = await _relate(tenant, **body)
    problem = answer.json()
    [fault] = problem.get("errors") or [{"pointer": "", "code": problem["code"]}]
    return answer.status_code, fault["pointer"], fault["code"]


async def _labels(tenant: Tenant, **params: str) -> set[str]:
    return {each["label"] for each in (await tenant.read(PATH, **params))["data"]}


async def test_a_contact_has_roles_at_several_accounts(tenant: Tenant, person: Made, company: Made) -> None:
    mei, yunfan, acme = await person("欧阳晓梅"), await company("云帆"), await company("Acme")
    for account, label in ((yunfan, "decision_maker"), (yunfan, "billing"), (acme, "顾问")):
        made = await tenant.create(PATH, contact_id=mei, account_id=account, label=label)
        assert (made["inverse_label"], made["primary"], made["ended_on"]) == (None, False, None)
    assert await _labels(tenant, contact_id=mei) == {"decision_maker", "billing", "顾问"}
    assert await _labels(tenant, account_id=yunfan) == {"decision_maker", "billing"}
    assert await _labels(tenant, account_id=yunfan, label="billing") == {"billing"}
    found = await tenant.client.post(
        f"{PATH}/search",
        json={
            "where": {
                "all": [
                    {"field": "of_contact_id", "op": "eq", "value": mei},
                    {"not": {"field": "ended_on", "op": "exists"}},
                ]
            }
        },
    )
    assert len(found.json()["data"]) == 3


async def test_contacts_are_something_to_one_another(tenant: Tenant, person: Made) -> None:
    wei, na, li = await person("王伟"), await person("李娜"), await person("李雷")
    married = await tenant.create(PATH, contact_id=wei, related_contact_id=na, label="Spouse")
    assert married["inverse_label"] == "spouse"
    below = await tenant.create(PATH, contact_id=wei, related_contact_id=li, label="reports_to")
    assert below["inverse_label"] == "manages"
    taught = await tenant.create(PATH, contact_id=li, related_contact_id=na, label="老师", inverse_label="学生")
    assert await _labels(tenant, of_contact_id=na) == {"Spouse", "老师"}
    assert await _labels(tenant, of_contact_id=wei) == {"Spouse", "reports_to"}
    # What follows by itself follows further; what was said stays until something else is said.
    moved = await tenant.client.patch(f"{PATH}/{below['id']}", json={"label": "referred_by"})
    assert moved.json()["inverse_label"] == "referred"
    renamed = await tenant.client.patch(f"{PATH}/{taught['id']}", json={"label": "导师"})
    assert renamed.json()["inverse_label"] == "学生"
    unknown = await tenant.client.patch(f"{PATH}/{below['id']}", json={"label": "邻居"})
    assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (422, "/inverse_label")


async def test_what_is_said_is_said_once_from_whichever_side(tenant: Tenant, person: Made, company: Made) -> None:
    wei, na, acme = await person("王伟"), await person("李娜"), await company("Acme")
    first = await tenant.create(PATH, contact_id=wei, account_id=acme, label="Billing")
    again = await _relate(tenant, contact_id=wei, account_id=acme, label="ｂｉｌｌｉｎｇ")
    assert (again.status_code, again.json()["code"]) == (409, "relationship_exists")
    assert again.json()["relationship_id"] == first["id"]
    below = await tenant.create(PATH, contact_id=wei, related_contact_id=na, label="reports_to")
    for body in (
        {"contact_id": wei, "related_contact_id": na, "label": "reports_to"},
        {"contact_id": na, "related_contact_id": wei, "label": "manages"},
        {"contact_id": na, "related_contact_id": wei, "label": "X", "inverse_label": "reports_to"},
    ):
        assert (await _relate(tenant, **body)).json()["relationship_id"] == below["id"]
    friends = await tenant.create(PATH, contact_id=na, related_contact_id=wei, label="friend")
    taken = await tenant.client.patch(f"{PATH}/{friends['id']}", json={"label": "manages", "inverse_label": "x"})
    assert taken.json()["code"] == "relationship_exists"


async def test_of_many_at_once_one_is_made(tenant: Tenant, person: Made) -> None:
    wei, na = await person("王伟"), await person("李娜")
    sides = [(wei, na), (na, wei)] * 5
    answers = await asyncio.gather(
        *(_relate(tenant, contact_id=one, related_contact_id=other, label="spouse") for one, other in sides)
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9


async def test_what_makes_no_sense_is_refused(
    service: ServiceUnderTest, tenant: Tenant, person: Made, company: Made
) -> None:
    wei, na, acme = await person("王伟"), await person("李娜"), await company("Acme")
    foreign = str((await service.tenant().create("/v1/contacts", full_name="x"))["id"])
    itself = {"contact_id": wei, "related_contact_id": wei, "label": "friend"}
    assert await _fault(tenant, **itself) == (422, "/related_contact_id", "itself")
    for stranger in (foreign, ContactId.new()):
        assert await _fault(tenant, contact_id=wei, related_contact_id=stranger, label="friend") == (
            422,
            "/related_contact_id",
            "not_found",
        )
    assert (await _fault(tenant, contact_id=wei, account_id=AccountId.new(), label="x"))[1:] == (
        "/account_id",
        "not_found",
    )
    for body in (
        {"label": "x"},
        {"label": "x", "account_id": acme, "related_contact_id": na},
        {"label": "x", "account_id": acme, "inverse_label": "y"},
        {"label": " ", "account_id": acme},
        {"label": "x", "account_id": acme, "started_on": "2026-02-01", "ended_on": "2026-01-31"},
        {"label": "x", "account_id": wei},
        {"label": "邻居", "related_contact_id": na},
    ):
        assert (await _relate(tenant, contact_id=wei, **body)).status_code == 422, body


async def test_its_ends_stay_the_rest_can_be_changed(tenant: Tenant, person: Made, company: Made) -> None:
    wei, na, acme = await person("王伟"), await person("李娜"), await company("Acme")
    made = await tenant.create(PATH, contact_id=wei, account_id=acme, label="buyer")
    for patch in ({"contact_id": na}, {"account_id": None, "related_contact_id": na}):
        answer = await tenant.client.patch(f"{PATH}/{made['id']}", json=patch)
        assert answer.status_code == 422
        assert {fault["code"] for fault in answer.json()["errors"]} == {"fixed"}
    answer = await tenant.client.patch(
        f"{PATH}/{made['id']}", json={"label": "head buyer", "primary": True, "ended_on": "2026-06-30", "note": "x"}
    )
    assert answer.json() | {"label": "head buyer", "primary": True, "version": 2} == answer.json()


async def test_they_go_with_a_contact_and_with_an_account(
    service: ServiceUnderTest, tenant: Tenant, person: Made, company: Made
) -> None:
    wei, na, acme = await person("王伟"), await person("李娜"), await company("Acme")
    role = await tenant.create(PATH, contact_id=wei, account_id=acme, label="buyer")
    both = await tenant.create(PATH, contact_id=na, related_contact_id=wei, label="friend")
    other = await tenant.create(PATH, contact_id=na, account_id=acme, label="buyer")
    assert (await tenant.client.delete(f"/v1/contacts/{wei}")).status_code == 204
    assert [each["id"] for each in (await tenant.read(PATH))["data"]] == [other["id"]]
    assert (await tenant.client.delete(f"/v1/accounts/{acme}")).status_code == 204
    assert (await tenant.read(PATH))["data"] == []
    told = [event for event in await service.events(RELATIONSHIP.name) if event.tenant_id == tenant.id]
    gone = {event.subject for event in told if event.deleted and event.entity is None}
    assert gone == {role["id"], both["id"], other["id"]}


async def test_an_account_of_many_loses_them_some_at_a_time(tenant: Tenant, company: Made) -> None:
    acme = await company("Acme")
    people = [{"method": "create", "data": {"full_name": f"P {n}"}} for n in range(BATCH + 5)]
    made = await tenant.client.post("/v1/contacts/batch", json={"operations": people})
    roles = [
        {"method": "create", "data": {"contact_id": each["id"], "account_id": acme, "label": "member"}}
        for each in made.json()["results"]
    ]
    answers = (await tenant.client.post(f"{PATH}/batch", json={"operations": roles})).json()["results"]
    assert {each["status"] for each in answers} == {201}
    assert (await tenant.client.delete(f"/v1/accounts/{acme}")).status_code == 204

    async def none_is_left() -> bool:
        return not (await tenant.read(PATH))["data"]

    await until(none_is_left)


async def test_a_contact_has_a_bounded_number(tenant: Tenant, person: Made, company: Made) -> None:
    wei, acme = await person("王伟"), await company("Acme")
    roles = [
        {"method": "create", "data": {"contact_id": wei, "account_id": acme, "label": f"role {n}"}}
        for n in range(MAX_OF_A_CONTACT + 1)
    ]
    answers = (await tenant.client.post(f"{PATH}/batch", json={"operations": roles})).json()["results"]
    assert [each["status"] for each in answers] == [201] * MAX_OF_A_CONTACT + [409]
    assert answers[-1]["error"]["code"] == "too_many_relationships"


@pytest.mark.parametrize("end", ["of_contact_id", "contact_id", "account_id"])
async def test_pages_of_one_end(tenant: Tenant, person: Made, company: Made, end: str) -> None:
    wei, acme = await person("王伟"), await company("Acme")
    made = [(await tenant.create(PATH, contact_id=wei, account_id=acme, label=f"role {n}"))["id"] for n in range(5)]
    whose = acme if end == "account_id" else wei
    page = await tenant.read(PATH, **{end: whose}, limit=2)
    seen = [each["id"] for each in page["data"]]
    while page["next_cursor"]:
        page = await tenant.read(PATH, **{end: whose}, limit=2, cursor=page["next_cursor"])
        seen += [each["id"] for each in page["data"]]
    assert seen == made[::-1]
