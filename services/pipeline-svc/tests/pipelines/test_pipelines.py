"""Pipelines through the public door."""

import asyncio
from typing import Any

from crm_contracts.envelope import Event
from crm_contracts.ids import EventId
from crm_contracts.registry import TENANT
from crm_kit.db.models import utc_now
from crm_testkit.service import ServiceUnderTest, Tenant

STAGES: list[dict[str, Any]] = [
    {"name": "Talk", "probability": 20},
    {"name": "Offer", "probability": 60, "rotting_days": 10, "required_fields": ["amount"]},
    {"name": "Won", "kind": "won"},
    {"name": "Lost", "kind": "lost"},
]


def tenant_created(tenant_id: str, region: str) -> tuple[str, Event]:
    now = utc_now()
    entity = {
        "id": tenant_id,
        "version": 1,
        "created_at": now.isoformat(),
        "updated_at": now.isoformat(),
        "name": "Acme",
        "region": region,
    }
    event = Event(
        id=EventId.new(),
        source="/relata/gateway",
        type=TENANT.event_type("created"),
        subject=tenant_id,
        time=now,
        tenant_id=tenant_id,
        sequence=1,
        entity=entity,
    )
    return TENANT.name, event


async def pipelines(tenant: Tenant) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await tenant.read("/v1/pipelines"))["data"]
    return found


async def default_of(tenant: Tenant) -> dict[str, Any]:
    async with asyncio.timeout(15):
        while not (found := await pipelines(tenant)):
            await asyncio.sleep(0.02)
    [pipeline] = [one for one in found if one["is_default"]]
    return pipeline


async def test_a_new_tenant_gets_a_default_pipeline_by_the_event(service: ServiceUnderTest) -> None:
    chinese, english = service.tenant(region="CN"), service.tenant(region="DE")
    await service.publish(tenant_created(chinese.id, "CN"), tenant_created(english.id, "DE"))
    await service.publish(tenant_created(chinese.id, "CN"))
    first, second = await default_of(chinese), await default_of(english)
    assert [stage["name"] for stage in first["stages"]] == [
        "新商机",
        "需求确认",
        "方案报价",
        "商务谈判",
        "赢单",
        "输单",
    ]
    assert [(stage["name"], stage["kind"], stage["order"]) for stage in second["stages"]][-2:] == [
        ("Won", "won", 4),
        ("Lost", "lost", 5),
    ]
    assert first["name"] == "销售流程"
    assert len(await pipelines(chinese)) == 1, "a repeated event makes no second"
    [event] = await service.events("crm.pipeline.pipeline", key=first["id"])
    assert (event.entity, event.action, event.sequence) == (first, "created", 1)


async def test_concurrent_first_deals_and_the_event_make_one_default(service: ServiceUnderTest) -> None:
    tenant = service.tenant(region="US")
    created = await asyncio.gather(
        *(tenant.create("/v1/deals", name=f"deal {number}") for number in range(8)),
        service.publish(tenant_created(tenant.id, "US")),
    )
    [pipeline] = await pipelines(tenant)
    assert {deal["pipeline_id"] for deal in created if deal} == {pipeline["id"]}
    assert {deal["stage_id"] for deal in created if deal} == {pipeline["stages"][0]["id"]}


async def test_stages_are_ordered_and_completed(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    pipeline = await tenant.create("/v1/pipelines", name="Renewals", stages=STAGES)
    assert [(stage["name"], stage["order"], stage["probability"]) for stage in pipeline["stages"]] == [
        ("Talk", 0, 20),
        ("Offer", 1, 60),
        ("Won", 2, 100),
        ("Lost", 3, 0),
    ]
    assert await tenant.read(f"/v1/pipelines/{pipeline['id']}") == pipeline
    assert len(await pipelines(tenant)) == 2, "the default one is there too"
    usual = await tenant.create("/v1/pipelines", name="As usual")
    assert len(usual["stages"]) == 6


async def test_stages_keep_their_ids_and_new_ones_get_one(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    pipeline = await tenant.create("/v1/pipelines", name="P", stages=STAGES)
    stages = pipeline["stages"]
    changed = [stages[0], {"name": "Trial"}, {**stages[1], "name": "Proposal"}, *stages[2:]]
    response = await tenant.client.patch(f"/v1/pipelines/{pipeline['id']}", json={"stages": changed})
    assert response.status_code == 200, response.text
    after = response.json()
    assert [stage["name"] for stage in after["stages"]] == ["Talk", "Trial", "Proposal", "Won", "Lost"]
    assert [stage["id"] for stage in after["stages"] if stage["name"] != "Trial"] == [stage["id"] for stage in stages]
    assert after["version"] == 2
    again = await tenant.client.patch(f"/v1/pipelines/{pipeline['id']}", json={"stages": after["stages"]})
    assert again.json() == after, "what changes nothing is no change"


async def test_faulty_stages_are_named_in_both_languages(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    pipeline = await tenant.create("/v1/pipelines", name="P", stages=STAGES)
    stages = [
        {"name": "A", "id": "stage_01jd3zq8w9e2vbx7k5m4n6p8qr"},
        pipeline["stages"][0],
        pipeline["stages"][0],
        {"name": "Won", "kind": "won"},
    ]
    for language, word in (("en", "none that is lost"), ("zh-CN", "缺少：lost")):
        response = await tenant.client.patch(
            f"/v1/pipelines/{pipeline['id']}", json={"stages": stages}, headers={"Accept-Language": language}
        )
        assert response.status_code == 422
        errors = {error["pointer"]: error for error in response.json()["errors"]}
        assert {pointer: error["code"] for pointer, error in errors.items()} == {
            "/stages/0/id": "not_found",
            "/stages/2/id": "duplicate",
            "/stages": "stage_kinds",
        }
        assert word in errors["/stages"]["detail"]
    response = await tenant.client.post(
        "/v1/pipelines", json={"name": "Q", "stages": [{"name": "", "probability": 101, "required_fields": ["shoe"]}]}
    )
    assert {error["pointer"] for error in response.json()["errors"]} == {
        "/stages/0/name",
        "/stages/0/probability",
        "/stages/0/required_fields/0",
    }


async def test_a_stage_with_deals_stays_and_stays_of_its_kind(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    pipeline = await tenant.create("/v1/pipelines", name="P", stages=STAGES)
    talk, offer, won, lost = pipeline["stages"]
    deal = await tenant.create("/v1/deals", name="d", stage_id=talk["id"])
    path = f"/v1/pipelines/{pipeline['id']}"
    for stages in ([offer, won, lost], [{**talk, "kind": "won"}, offer, won, lost]):
        response = await tenant.client.patch(path, json={"stages": stages})
        assert (response.status_code, response.json()["code"]) == (409, "stage_in_use")
        assert response.json()["stage_ids"] == [talk["id"]]
        assert f"GET /v1/deals?stage_id={talk['id']}" in response.json()["detail"]
    assert (await tenant.client.delete(path)).json()["code"] == "pipeline_in_use"

    await tenant.client.post(f"/v1/deals/{deal['id']}/move", json={"stage_id": won["id"]})
    response = await tenant.client.patch(path, json={"stages": [offer, won, lost]})
    assert response.status_code == 200, response.text
    assert (await tenant.client.delete(f"/v1/deals/{deal['id']}")).status_code == 204
    assert (await tenant.client.delete(path)).status_code == 204
    assert (await tenant.client.get(path)).status_code == 404


async def test_a_stage_cannot_go_while_a_deal_is_coming(service: ServiceUnderTest) -> None:
    """Whoever is first wins: the stage stays, or the deal is refused; never a deal without its stage."""
    tenant = service.tenant()
    amount = {"amount": "1", "currency": "CNY"}
    for number in range(6):
        pipeline = await tenant.create("/v1/pipelines", name=f"P{number}", stages=STAGES)
        talk, offer, won, lost = pipeline["stages"]
        patched, *made = await asyncio.gather(
            tenant.client.patch(f"/v1/pipelines/{pipeline['id']}", json={"stages": [talk, won, lost]}),
            *(
                tenant.client.post("/v1/deals", json={"name": "d", "stage_id": offer["id"], "amount": amount})
                for _ in range(4)
            ),
        )
        assert {response.status_code for response in made} <= {201, 422}
        created = [response for response in made if response.status_code == 201]
        assert patched.status_code == (409 if created else 200)
        stages = {stage["id"] for stage in (await tenant.read(f"/v1/pipelines/{pipeline['id']}"))["stages"]}
        assert all(response.json()["stage_id"] in stages for response in created)


async def test_exactly_one_pipeline_is_the_default(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    second = await tenant.create("/v1/pipelines", name="Second")
    first = await default_of(tenant)
    for response in (
        await tenant.client.delete(f"/v1/pipelines/{first['id']}"),
        await tenant.client.patch(f"/v1/pipelines/{first['id']}", json={"is_default": False}),
    ):
        assert (response.status_code, response.json()["code"]) == (409, "default_pipeline")
        assert "is_default" in response.json()["detail"]

    patched = await tenant.client.patch(f"/v1/pipelines/{second['id']}", json={"is_default": True})
    assert patched.status_code == 200, patched.text
    assert (await default_of(tenant))["id"] == second["id"]
    third = await tenant.create("/v1/pipelines", name="Third", is_default=True)
    assert (await default_of(tenant))["id"] == third["id"]
    events = await service.events("crm.pipeline.pipeline", key=second["id"], at_least=3)
    assert [(event.sequence, event.changed) for event in events][1:] == [(2, ("is_default",)), (3, ("is_default",))]
    assert (await tenant.client.delete(f"/v1/pipelines/{first['id']}")).status_code == 204


async def test_racing_for_the_default_leaves_one(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    made = [await tenant.create("/v1/pipelines", name=f"P{number}") for number in range(4)]
    responses = await asyncio.gather(
        *(tenant.client.patch(f"/v1/pipelines/{one['id']}", json={"is_default": True}) for one in made),
        *(tenant.client.post("/v1/pipelines", json={"name": "N", "is_default": True}) for _ in range(3)),
    )
    assert {response.status_code for response in responses} <= {200, 201}
    assert sum(one["is_default"] for one in await pipelines(tenant)) == 1


async def test_pipelines_of_a_batch(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    response = await tenant.client.post(
        "/v1/pipelines/batch",
        json={
            "operations": [
                {"method": "create", "data": {"name": "A", "stages": STAGES}},
                {"method": "create", "data": {"name": "B", "stages": STAGES[:2]}},
                {"method": "create", "data": {"name": "C", "is_default": True}},
            ]
        },
    )
    assert [result["status"] for result in response.json()["results"]] == [201, 422, 201]
    found = await tenant.client.post(
        "/v1/pipelines/search", json={"where": {"field": "is_default", "op": "eq", "value": True}}
    )
    assert [one["name"] for one in found.json()["data"]] == ["C"]
