"""The lifecycle itself: what every tenant has, how it is changed, and what becomes of records then."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from crm_contracts.ids import TeamId, UserId
from crm_contracts.registry import LIFECYCLE
from crm_kit.rights import Rights
from crm_kit.rights.grants import Grant
from crm_testkit.service import ServiceUnderTest, Tenant

Configure = Callable[..., Awaitable[dict[str, Any]]]

USUAL = ["subscriber", "lead", "qualified", "customer", "loyal", "lapsed"]


def names(lifecycle: dict[str, Any]) -> list[str]:
    return [stage["name"] for stage in lifecycle["stages"]]


async def test_every_tenant_has_one(tenant: Tenant) -> None:
    found = await tenant.client.get("/v1/lifecycle")
    lifecycle = found.json()
    assert (names(lifecycle), lifecycle["initial"], found.headers["etag"]) == (USUAL, "lead", '"1"')
    assert lifecycle["stages"][3] == {
        "name": "customer",
        "label": {"en": "Customer", "zh": "客户"},
        "transitions_to": None,
        "reason_required": False,
        "reasons": [],
        "replaced_by": None,
    }
    again = await tenant.client.get("/v1/lifecycle", headers={"If-None-Match": '"1"'})
    assert again.status_code == 304
    lifecycle["stages"][0]["reason_required"] = True
    changed = await tenant.client.patch(
        "/v1/lifecycle", json={"stages": lifecycle["stages"]}, headers={"If-Match": '"1"'}
    )
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert changed.json()["created_at"] == lifecycle["created_at"]
    assert (await tenant.read("/v1/lifecycle")) == changed.json()
    stale = await tenant.client.patch("/v1/lifecycle", json={"initial": "lead"}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412


async def test_a_change_is_published_and_another_tenant_has_its_own(
    service: ServiceUnderTest, tenant: Tenant, configure: Configure
) -> None:
    changed = await configure({"name": "lead"})
    events = await service.events(LIFECYCLE.name, key=changed["id"], at_least=2)
    assert [event.type.split(".")[-2] for event in events] == ["created", "updated"]
    other = await service.tenant().read("/v1/lifecycle")
    assert names(other) == USUAL
    assert other["id"] != changed["id"]


@pytest.mark.parametrize(
    ("stages", "initial", "pointer", "code"),
    [
        ([{"name": "lead"}], "other", "/initial", "unknown_stage"),
        ([{"name": "lead"}, {"name": "lead"}], "lead", "/stages/1/name", "repeated"),
        ([{"name": "lead", "transitions_to": ["x"]}], "lead", "/stages/0/transitions_to/0", "unknown_stage"),
        ([{"name": "lead"}, {"name": "b", "replaced_by": "b"}], "lead", "/stages/1/replaced_by", "unknown_stage"),
        ([{"name": "lead", "replaced_by": "b"}, {"name": "b"}], "lead", "/initial", "unknown_stage"),
        (
            [{"name": "lead", "reasons": [{"value": "a", "label": {"en": "a"}}] * 2}],
            "lead",
            "/stages/0/reasons/1/value",
            "repeated",
        ),
        ([{"name": "A b"}], "lead", "/stages/0/name", "pattern"),
        ([], "lead", "/stages", "too_short"),
    ],
)
async def test_what_makes_no_sense_is_refused_in_its_place(
    tenant: Tenant, stages: list[dict[str, Any]], initial: str, pointer: str, code: str
) -> None:
    body = {"initial": initial, "stages": [{"label": {"en": "x"}, **stage} for stage in stages]}
    answer = await tenant.client.patch("/v1/lifecycle", json=body)
    assert answer.status_code == 422
    assert pointer in {fault["pointer"] for fault in answer.json()["errors"]}, answer.text
    assert names(await tenant.read("/v1/lifecycle")) == USUAL


async def test_a_stage_in_use_stays(tenant: Tenant) -> None:
    await tenant.create("/v1/accounts", name="Acme", lifecycle_stage="loyal")
    stages = (await tenant.read("/v1/lifecycle"))["stages"]
    left = [stage for stage in stages if stage["name"] not in ("loyal", "subscriber")]
    answer = await tenant.client.patch("/v1/lifecycle", json={"stages": left})
    assert (answer.status_code, answer.json()["code"], answer.json()["stages"]) == (
        409,
        "lifecycle_stage_in_use",
        ["loyal"],
    )


async def test_a_replaced_stage_is_left_by_its_records_and_goes(tenant: Tenant, configure: Configure) -> None:
    operations = [
        {"method": "create", "data": {"full_name": f"{number}", "lifecycle_stage": "loyal"}} for number in range(450)
    ]
    await tenant.client.post("/v1/contacts/batch", json={"operations": operations})
    account = await tenant.create("/v1/accounts", name="Acme", lifecycle_stage="loyal")
    await configure(
        {"name": "lead", "transitions_to": ["loyal"]},
        {"name": "customer", "transitions_to": []},
        {"name": "loyal", "replaced_by": "customer", "transitions_to": []},
    )
    refused = await tenant.client.post("/v1/contacts", json={"full_name": "late", "lifecycle_stage": "loyal"})
    assert refused.json()["errors"][0]["code"] == "unknown_stage"
    async with asyncio.timeout(60):
        while names(lifecycle := await tenant.read("/v1/lifecycle")) != ["lead", "customer"]:
            await asyncio.sleep(0.1)
    assert lifecycle["stages"][0]["transitions_to"] == []
    assert (await tenant.read("/v1/contacts", lifecycle_stage="loyal"))["data"] == []
    (change,) = (await tenant.read(f"/v1/accounts/{account['id']}"))["lifecycle_history"]
    assert (change["stage"], change["reason"], change["actor_id"]) == (
        "customer",
        "stage_replaced",
        "service/contacts",
    )


async def test_no_record_comes_into_a_stage_that_has_just_gone(service: ServiceUnderTest) -> None:
    """Creations race with the change that takes the stage away: either it stays, or none is left in it."""
    for _ in range(5):
        tenant = service.tenant()
        stages = (await tenant.read("/v1/lifecycle"))["stages"]
        left = [stage for stage in stages if stage["name"] != "loyal"]
        body = {"full_name": "王伟", "lifecycle_stage": "loyal"}
        answers = await asyncio.gather(
            *(tenant.client.post("/v1/contacts", json=body) for _ in range(10)),
            tenant.client.patch("/v1/lifecycle", json={"stages": left}),
            *(tenant.client.post("/v1/contacts", json=body) for _ in range(10)),
        )
        found = (await tenant.read("/v1/contacts", lifecycle_stage="loyal"))["data"]
        assert len(found) == sum(answer.status_code == 201 for answer in answers)
        assert ("loyal" in names(await tenant.read("/v1/lifecycle"))) or not found


async def test_a_moved_record_follows_the_territories(tenant: Tenant) -> None:
    team_id = TeamId.new()
    where = {"field": "lifecycle_stage", "op": "in", "value": ["customer", "vip"]}
    body = {"name": "Customers", "resource": "contacts", "where": where, "team_id": team_id}
    await tenant.create("/v1/territories", **body)
    contact = await tenant.create("/v1/contacts", full_name="王伟")
    assert contact["team_id"] is None
    moved = await tenant.client.patch(f"/v1/contacts/{contact['id']}", json={"lifecycle_stage": "customer"})
    assert moved.json()["team_id"] == team_id


async def test_it_is_read_and_changed_by_who_may(service: ServiceUnderTest, tenant: Tenant) -> None:
    def somebody(*grants: Grant) -> Tenant:
        return service.tenant(tenant.id, rights=Rights(UserId.new(), (), grants, admin=False))

    def grant(*actions: str, level: str = "all") -> Grant:
        return Grant(frozenset({"lifecycle"}), frozenset(actions), level, {"open": "write"})  # type: ignore[arg-type]  # the words are those of the vocabulary

    reader, writer = somebody(grant("read")), somebody(grant("read", "update"))
    assert names(await reader.read("/v1/lifecycle")) == USUAL
    assert (await reader.client.patch("/v1/lifecycle", json={"initial": "loyal"})).status_code == 403
    assert (await writer.client.patch("/v1/lifecycle", json={"initial": "loyal"})).status_code == 200
    assert (await reader.read("/v1/lifecycle"))["initial"] == "loyal"
    nobody = somebody(grant("read", "update", level="own"))
    assert (await nobody.client.get("/v1/lifecycle")).status_code == 404
