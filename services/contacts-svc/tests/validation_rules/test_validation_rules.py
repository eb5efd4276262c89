"""What a tenant demands of its records is demanded on every way in, of what is written, and of nothing that stays as it is."""

import asyncio
from typing import Any

import pytest
from crm_contracts.ids import UserId
from crm_kit.rights import Rights
from crm_kit.rights.grants import Access, Grant
from crm_testkit.importing import imported
from crm_testkit.jobs import ended
from crm_testkit.service import ServiceUnderTest, Tenant

PATH = "/v1/validation-rules"
OWNED: dict[str, Any] = {
    "resource": "contacts",
    "when": {"field": "lifecycle_stage", "op": "eq", "value": "customer"},
    "condition": {"field": "owner_id", "op": "exists", "value": True},
    "code": "owner_needed",
    "message": {"en": "A customer needs an owner", "zh": "客户必须有负责人"},
}
CUSTOMER = {"full_name": "王伟", "lifecycle_stage": "customer"}


@pytest.fixture
def tenant(service: ServiceUnderTest) -> Tenant:
    return service.tenant()


async def refused(tenant: Tenant, method: str, path: str, body: dict[str, Any], **headers: str) -> list[dict[str, str]]:
    answer = await tenant.client.request(method, path, json=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), answer.text
    errors: list[dict[str, str]] = answer.json()["errors"]
    return errors


async def test_it_says_in_the_tenants_own_words_what_is_wrong_where(tenant: Tenant) -> None:
    rule = await tenant.create(PATH, **OWNED)
    [error] = await refused(tenant, "POST", "/v1/contacts", CUSTOMER)
    assert error == {
        "pointer": "/owner_id",
        "code": "owner_needed",
        "detail": "A customer needs an owner",
        "rule_id": rule["id"],
    }
    [error] = await refused(tenant, "POST", "/v1/contacts", CUSTOMER, **{"Accept-Language": "zh"})
    assert error["detail"] == "客户必须有负责人"
    await tenant.create("/v1/contacts", **CUSTOMER, owner_id=UserId.new())
    lead = await tenant.create("/v1/contacts", full_name="李娜")
    await refused(tenant, "PATCH", f"/v1/contacts/{lead['id']}", {"lifecycle_stage": "customer"})
    assert (await tenant.read(f"/v1/contacts/{lead['id']}"))["version"] == 1
    await tenant.create("/v1/accounts", name="云帆", lifecycle_stage="customer")


async def test_what_was_there_before_the_rule_may_be_changed_otherwise(tenant: Tenant) -> None:
    old = await tenant.create("/v1/contacts", **CUSTOMER)
    path = f"/v1/contacts/{old['id']}"
    await tenant.create(PATH, **OWNED)
    assert (await tenant.client.patch(path, json={"title": "Buyer"})).status_code == 200
    assert (await tenant.client.patch(path, json={"owner_id": UserId.new()})).status_code == 200
    await refused(tenant, "PATCH", path, {"owner_id": None})
    assert (await tenant.client.patch(path, json={"lifecycle_stage": "lapsed", "owner_id": None})).status_code == 200


async def test_every_way_in_is_held_to_it(tenant: Tenant) -> None:
    await tenant.create(PATH, **OWNED)
    operations = [{"method": "create", "data": CUSTOMER}, {"method": "create", "data": {"full_name": "李娜"}}]
    answer = await tenant.client.post("/v1/contacts/batch", json={"operations": operations})
    results = answer.json()["results"]
    assert [each["status"] for each in results] == [422, 201]
    assert results[0]["error"]["errors"][0]["code"] == "owner_needed"

    found = await imported(tenant.client, "姓名,客户阶段\n王伟,customer\n李雷,lead\n".encode())
    assert (found["counts"]["rejected"], found["counts"]["created"]) == (1, 1), found
    [row] = (await tenant.read(f"/v1/imports/{found['id']}/rows", outcome="rejected"))["data"]
    assert row["problem"]["errors"][0]["code"] == "owner_needed"

    lead = results[1]["id"]
    body = {"resource": "contacts", "ids": [lead], "action": "update", "patch": {"lifecycle_stage": "customer"}}
    bulk = (await tenant.client.post("/v1/bulk-changes", json=body)).json()
    assert (await ended(tenant.client, f"/v1/bulk-changes/{bulk['id']}"))["failed"] == 1
    [failure] = (await tenant.read(f"/v1/bulk-changes/{bulk['id']}/failures"))["data"]
    assert failure["problem"]["errors"][0]["code"] == "owner_needed"

    owned = await tenant.create("/v1/contacts", **CUSTOMER, owner_id=UserId.new())
    fields = {"lifecycle_stage": owned["id"], "owner_id": lead}
    merge = f"/v1/contacts/{lead}/merge"
    errors = await refused(tenant, "POST", merge, {"from": [owned["id"]], "fields": fields})
    assert errors[0]["code"] == "owner_needed"
    answer = await tenant.client.post(merge, json={"from": [owned["id"]], "fields": {"lifecycle_stage": owned["id"]}})
    assert answer.status_code == 201, answer.text
    undone = await tenant.client.post(f"/v1/merges/{answer.json()['merge']['id']}/undo", json={})
    assert undone.status_code == 200, undone.text


async def test_an_undoing_gives_back_what_a_rule_would_refuse_by_now(tenant: Tenant) -> None:
    survivor = await tenant.create("/v1/contacts", **CUSTOMER)
    other = await tenant.create("/v1/contacts", full_name="王伟", owner_id=UserId.new())
    answer = await tenant.client.post(f"/v1/contacts/{survivor['id']}/merge", json={"from": [other["id"]]})
    assert answer.status_code == 201, answer.text
    await tenant.create(PATH, **OWNED)
    undone = await tenant.client.post(f"/v1/merges/{answer.json()['merge']['id']}/undo", json={})
    assert undone.status_code == 200, undone.text
    assert (await tenant.read(f"/v1/contacts/{survivor['id']}"))["owner_id"] is None


async def test_custom_fields_parts_and_lists_are_pointed_at(tenant: Tenant) -> None:
    await tenant.create(
        "/v1/custom-fields", resource="accounts", name="discount", label={"en": "Discount"}, type="number"
    )
    small = {"field": "custom.discount", "op": "lte", "value": 20}
    await tenant.create(PATH, resource="accounts", condition=small, code="small", message={"en": "x"})
    city = {"field": "address.city", "op": "exists", "value": True}
    await tenant.create(PATH, resource="accounts", condition=city, code="city", message={"en": "x"})
    tagged = {"field": "tag", "op": "eq", "value": "vip"}
    await tenant.create(PATH, resource="accounts", condition=tagged, code="vip", message={"zh": "须为 VIP"})
    named = {**OWNED, "resource": "accounts", "condition": city, "when": tagged, "field": "name", "code": "named"}
    await tenant.create(PATH, **named)
    body = {"name": "云帆", "custom": {"discount": 30}}
    errors = await refused(tenant, "POST", "/v1/accounts", body)
    assert {(each["pointer"], each["code"], each["detail"]) for each in errors} == {
        ("/custom/discount", "small", "x"),
        ("/address/city", "city", "x"),
        ("/tags", "vip", "须为 VIP"),
    }
    [error, other] = await refused(
        tenant, "POST", "/v1/accounts", {"name": "x", "custom": {"discount": 1}, "tags": ["vip"]}
    )
    assert {error["pointer"], other["pointer"]} == {"/address/city", "/name"}
    used = await tenant.client.delete(f"/v1/custom-fields/{(await tenant.read('/v1/custom-fields'))['data'][0]['id']}")
    assert (used.status_code, used.json()["code"]) == (409, "custom_field_in_use")
    assert len(used.json()["validation_rule_ids"]) == 1


async def test_what_changes_counts_from_its_answer_on(tenant: Tenant) -> None:
    rule = await tenant.create(PATH, **OWNED)
    await refused(tenant, "POST", "/v1/contacts", CUSTOMER)
    path = f"{PATH}/{rule['id']}"
    assert (await tenant.client.patch(path, json={"active": False})).status_code == 200
    await tenant.create("/v1/contacts", **CUSTOMER)
    assert (await tenant.client.patch(path, json={"active": True, "when": None})).status_code == 200
    await refused(tenant, "POST", "/v1/contacts", {"full_name": "李娜"})
    assert (await tenant.client.delete(path)).status_code == 204
    await tenant.create("/v1/contacts", full_name="李娜")


async def test_who_creates_while_a_rule_comes_is_before_it_or_held_to_it(tenant: Tenant) -> None:
    everyone = {**OWNED, "when": None}

    async def created() -> tuple[str, int]:
        answer = await tenant.client.post("/v1/contacts", json={"full_name": "王伟"})
        return answer.headers["date"], answer.status_code

    for _ in range(5):
        [rule, *answers] = await asyncio.gather(
            tenant.client.post(PATH, json=everyone), *(created() for _ in range(10))
        )
        assert rule.status_code == 201, rule.text
        assert {status for _, status in answers} <= {201, 422}
        assert (await created())[1] == 422
        await tenant.client.delete(f"{PATH}/{rule.json()['id']}")


async def test_a_preview_tells_who_breaks_it_by_now(tenant: Tenant) -> None:
    broken = [(await tenant.create("/v1/contacts", **CUSTOMER))["id"] for _ in range(3)]
    await tenant.create("/v1/contacts", **CUSTOMER, owner_id=UserId.new())
    await tenant.create("/v1/contacts", full_name="李娜")
    asked = {name: OWNED[name] for name in ("resource", "condition", "when")}
    answer = await tenant.client.post(f"{PATH}/preview", json=asked)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"found": {"count": 3, "kind": "exact"}, "sample": broken}
    always = await tenant.client.post(f"{PATH}/preview", json={**asked, "when": None})
    assert always.json()["found"]["count"] == 4
    assert (await tenant.read(PATH))["data"] == []


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"condition": {"field": "shoe", "op": "exists", "value": True}}, "/condition/field", "unknown_field"),
        ({"when": {"field": "birthday", "op": "gt", "value": "soon"}}, "/when/value", "type_mismatch"),
        ({"field": "shoe"}, "/field", "unknown_field"),
        ({"code": "Not a code"}, "/code", "format"),
        ({"message": {}}, "/message", "one_language"),
        ({"resource": "activities"}, "/resource", "choice"),
    ],
)
async def test_what_makes_no_sense_is_refused(tenant: Tenant, change: dict[str, Any], pointer: str, code: str) -> None:
    errors = await refused(tenant, "POST", PATH, {**OWNED, **change})
    assert [(each["pointer"], each["code"]) for each in errors] == [(pointer, code)]


async def test_rules_are_their_tenants_and_previews_show_what_lists_show(
    service: ServiceUnderTest, tenant: Tenant
) -> None:
    rule = await tenant.create(PATH, **OWNED)
    stranger = service.tenant()
    await stranger.create("/v1/contacts", **CUSTOMER)
    assert (await stranger.client.get(f"{PATH}/{rule['id']}")).status_code == 404
    me = UserId.new()
    await tenant.client.delete(f"{PATH}/{rule['id']}")
    for owner in (me, UserId.new()):
        await tenant.create("/v1/contacts", full_name="王伟", owner_id=owner)
    fields: dict[Any, Access] = {"open": "read"}
    grants = (
        Grant(frozenset({"contacts"}), frozenset({"read"}), "own", fields),
        Grant(frozenset({"validation-rules"}), frozenset({"read"}), "all", fields),
    )
    some = service.tenant(tenant.id, rights=Rights(me, (), grants, admin=False))
    asked = {"resource": "contacts", "condition": {"field": "source", "op": "exists", "value": True}}
    assert (await some.client.post(f"{PATH}/preview", json=asked)).json()["found"]["count"] == 1
    asked = {"resource": "contacts", "condition": {"field": "title", "op": "exists", "value": True}}
    assert (await some.client.post(f"{PATH}/preview", json=asked)).status_code == 403
    assert (await some.client.post(PATH, json=OWNED)).status_code == 403
