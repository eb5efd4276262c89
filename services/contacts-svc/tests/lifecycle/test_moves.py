"""Records in their stages: where they may go, why, and what is kept of it, by whatever way it comes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from crm_contracts.registry import ACCOUNT, CONTACT
from crm_testkit.importing import imported, rows_of
from crm_testkit.service import ServiceUnderTest, Tenant

Configure = Callable[..., Awaitable[dict[str, Any]]]

BODIES = {"contacts": {"full_name": "王伟"}, "accounts": {"name": "Acme"}}
BOTH = pytest.mark.parametrize("resource", ["contacts", "accounts"])

SALES = (
    {"name": "lead", "transitions_to": ["customer", "lapsed"]},
    {"name": "customer", "transitions_to": ["lapsed"]},
    {
        "name": "lapsed",
        "transitions_to": ["customer"],
        "reason_required": True,
        "reasons": [{"value": "price", "label": {"zh": "价格"}}, {"value": "moved", "label": {"en": "Moved away"}}],
    },
)


async def made(tenant: Tenant, resource: str, **members: Any) -> dict[str, Any]:
    return await tenant.create(f"/v1/{resource}", **BODIES[resource], **members)


async def patched(tenant: Tenant, record: dict[str, Any], status: int = 200, **members: Any) -> dict[str, Any]:
    kind = record["id"].partition("_")[0]
    answer = await tenant.client.patch(f"/v1/{kind}s/{record['id']}", json=members)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


@BOTH
async def test_by_default_any_stage_leads_to_any(tenant: Tenant, resource: str) -> None:
    record = await made(tenant, resource)
    assert (record["lifecycle_stage"], record["lifecycle_changed_at"], record["lifecycle_history"]) == (
        "lead",
        None,
        [],
    )
    moved = await patched(tenant, record, lifecycle_stage="loyal")
    moved = await patched(tenant, moved, lifecycle_stage="lapsed", lifecycle_reason="Moved away")
    assert (moved["lifecycle_stage"], moved["lifecycle_reason"]) == ("lapsed", "Moved away")
    first, second = moved["lifecycle_history"]
    assert (first["from_stage"], first["stage"], first["reason"]) == ("lead", "loyal", None)
    assert (second["from_stage"], second["stage"], second["reason"]) == ("loyal", "lapsed", "Moved away")
    assert second["actor_id"] == "key_test"
    assert first["at"] < second["at"] == moved["lifecycle_changed_at"]
    assert (await patched(tenant, moved, lifecycle_stage=None))["lifecycle_stage"] == "lead", "null: the initial one"


@BOTH
async def test_a_move_is_an_event_of_its_own(service: ServiceUnderTest, tenant: Tenant, resource: str) -> None:
    record = await made(tenant, resource)
    await patched(tenant, record, lifecycle_stage="customer", tags=["vip"])
    await patched(tenant, record, tags=[])
    topic = {"contacts": CONTACT, "accounts": ACCOUNT}[resource]
    events = await service.events(topic.name, key=record["id"], at_least=3)
    assert [event.type.split(".")[-2] for event in events] == ["created", "lifecycle_changed", "updated"]
    assert {"lifecycle_stage", "lifecycle_changed_at", "lifecycle_history", "tags"} == set(events[1].changed)


@BOTH
async def test_what_a_stage_does_not_lead_to_is_refused(tenant: Tenant, configure: Configure, resource: str) -> None:
    await configure(*SALES)
    record = await made(tenant, resource, lifecycle_stage="customer")
    refused = await patched(tenant, record, 409, lifecycle_stage="lead")
    assert (refused["code"], refused["stage"], refused["allowed"]) == ("stage_out_of_reach", "customer", ["lapsed"])
    assert (await patched(tenant, record, title="a") if resource == "contacts" else record)[
        "lifecycle_stage"
    ] == "customer"


@BOTH
async def test_a_reason_is_asked_for_and_held_to_the_choices(
    tenant: Tenant, configure: Configure, resource: str
) -> None:
    await configure(*SALES)
    record = await made(tenant, resource)
    missing = await patched(tenant, record, 422, lifecycle_stage="lapsed")
    assert [(fault["pointer"], fault["code"]) for fault in missing["errors"]] == [("/lifecycle_reason", "required")]
    odd = await patched(tenant, record, 422, lifecycle_stage="lapsed", lifecycle_reason="odd")
    assert [(fault["pointer"], fault["code"]) for fault in odd["errors"]] == [("/lifecycle_reason", "unknown_reason")]
    await patched(tenant, record, lifecycle_stage="lapsed", lifecycle_reason="price")
    await patched(tenant, record, lifecycle_stage="customer")
    again = await patched(tenant, record, 422, lifecycle_stage="lapsed")
    assert again["errors"][0]["pointer"] == "/lifecycle_reason", "what was said before is no reason now"
    await patched(tenant, record, lifecycle_stage="lapsed", lifecycle_reason="price")
    mended = await patched(tenant, record, lifecycle_reason="moved")
    assert [change["reason"] for change in mended["lifecycle_history"]] == ["price", None, "moved"]
    kept = await patched(tenant, record, tags=["x"])
    assert (kept["lifecycle_stage"], kept["lifecycle_reason"]) == ("lapsed", "moved")


@BOTH
async def test_a_new_record_starts_in_any_stage_that_there_is(
    tenant: Tenant, configure: Configure, resource: str
) -> None:
    await configure(*SALES, initial="customer")
    assert (await made(tenant, resource))["lifecycle_stage"] == "customer"
    assert (await made(tenant, resource, lifecycle_stage="lapsed"))["lifecycle_stage"] == "lapsed"
    answer = await tenant.client.post(f"/v1/{resource}", json={**BODIES[resource], "lifecycle_stage": "loyal"})
    (fault,) = answer.json()["errors"]
    assert (answer.status_code, fault["pointer"], fault["code"]) == (422, "/lifecycle_stage", "unknown_stage")
    assert "lead, customer, lapsed" in fault["detail"]


async def test_a_batch_holds_each_operation_to_it(tenant: Tenant, configure: Configure) -> None:
    await configure(*SALES)
    made_ = await tenant.create("/v1/contacts", emails=[{"address": "a@example.com"}], lifecycle_stage="customer")
    emails = [{"address": "a@example.com"}]
    operations = [
        {"method": "update", "id": made_["id"], "data": {"lifecycle_stage": "lead"}},
        {"method": "upsert", "match": "email", "data": {"emails": emails, "lifecycle_stage": "lapsed"}},
        {"method": "create", "data": {"full_name": "b", "lifecycle_stage": "loyal"}},
        {
            "method": "upsert",
            "match": "email",
            "data": {"emails": emails, "lifecycle_stage": "lapsed", "lifecycle_reason": "price"},
        },
    ]
    results = (await tenant.client.post("/v1/contacts/batch", json={"operations": operations})).json()["results"]
    assert [result["status"] for result in results] == [409, 422, 422, 200]
    assert results[0]["error"]["allowed"] == ["lapsed"]
    assert (await tenant.read(f"/v1/contacts/{made_['id']}"))["lifecycle_reason"] == "price"


async def test_an_import_reads_labels_and_rejects_the_row_that_may_not_go_there(
    tenant: Tenant, configure: Configure
) -> None:
    await configure(
        {"name": "lead"}, {"name": "vip", "label": {"en": "Key customer", "zh": "重点客户"}, "transitions_to": []}
    )
    await tenant.create("/v1/contacts", emails=[{"address": "a@example.com"}], lifecycle_stage="vip")
    table = "姓名,邮箱,客户阶段\n甲,a@example.com,lead\n乙,b@example.com,重点客户\n丙,c@example.com,key CUSTOMER\n丁,d@example.com,朋友\n"
    job = await imported(tenant.client, table.encode(), on_match="update")
    rows = {row["row"]: row for row in await rows_of(tenant.client, job["id"])}
    told = {number: (row["outcome"], (row.get("problem") or {}).get("code")) for number, row in rows.items()}
    assert sorted(told.values()) == sorted(
        [("conflict", "stage_out_of_reach"), ("created", None), ("created", None), ("rejected", "validation_failed")]
    )
    found = await tenant.read("/v1/contacts", lifecycle_stage="vip")
    assert {one["full_name"] for one in found["data"]} == {None, "乙", "丙"}


async def test_an_import_that_moved_records_is_taken_back(tenant: Tenant) -> None:
    contact = await tenant.create("/v1/contacts", full_name="甲", emails=[{"address": "a@example.com"}])
    table = "邮箱,客户阶段,阶段原因\na@example.com,客户,续约\n"
    job = await imported(tenant.client, table.encode(), on_match="update")
    path = f"/v1/contacts/{contact['id']}"
    moved = await tenant.read(path)
    assert (moved["lifecycle_stage"], moved["lifecycle_reason"]) == ("customer", "续约")
    answer = await tenant.client.post(f"/v1/imports/{job['id']}/revert")
    assert answer.status_code in (200, 202), answer.text
    async with asyncio.timeout(30):
        while (back := await tenant.read(path))["lifecycle_stage"] != "lead":
            await asyncio.sleep(0.05)
    assert [change["stage"] for change in back["lifecycle_history"]] == ["customer", "lead"]


async def test_a_record_shows_the_newest_changes_only(tenant: Tenant) -> None:
    contact = await tenant.create("/v1/contacts", full_name="王伟")
    operations = [
        {"method": "update", "id": contact["id"], "data": {"lifecycle_stage": stage}}
        for stage in ["customer", "lapsed"] * 20
    ]
    await tenant.client.post("/v1/contacts/batch", json={"operations": operations})
    history = (await tenant.read(f"/v1/contacts/{contact['id']}"))["lifecycle_history"]
    assert len(history) == 30
    assert len({change["at"] for change in history}) == 30
