"""Of what a source says in whatever order, the state that it says last by its own clock is left."""

import random
from typing import Any

import pytest
from crm_testkit.service import ServiceUnderTest, Tenant

MONEY = {"amount": "10.00", "currency": "CNY"}
RESOURCES: dict[str, dict[str, Any]] = {
    "orders": {"total": MONEY},
    "invoices": {"total": MONEY},
    "payments": {"amount": MONEY},
    "products": {"name": "滤芯"},
}


def said_at(second: int) -> str:
    return f"2026-10-01T08:00:{second:02}.5Z"


async def upsert(tenant: Tenant, resource: str, *bodies: dict[str, Any]) -> list[dict[str, Any]]:
    operations = [{"method": "upsert", "match": "external_id", "data": body} for body in bodies]
    answer = await tenant.client.post(f"/v1/{resource}/batch", json={"operations": operations})
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


@pytest.mark.parametrize("resource", RESOURCES)
async def test_deliveries_in_any_order_end_in_the_newest_state(service: ServiceUnderTest, resource: str) -> None:
    tenant = service.tenant()
    told = [
        {
            **RESOURCES[resource],
            "source": "shop",
            "external_id": "1",
            "tags": [f"t{n}"],
            "source_updated_at": said_at(n),
        }
        for n in range(6)
    ]
    for seed in range(4):
        shuffled = [*told, *told]
        random.Random(seed).shuffle(shuffled)
        if seed % 2:
            results = await upsert(tenant, resource, *shuffled)
        else:
            results = [result for body in shuffled for result in await upsert(tenant, resource, body)]
        assert {result["status"] for result in results} <= {200, 201}, results
        newest = 0
        for body, result in zip(shuffled, results, strict=True):
            at = int(body["tags"][0][1:])
            if result["status"] == 200 and seed:  # by then the newest of all is there
                assert result.get("stale", False) is (at < 5)
            newest = max(newest, at)
        [found] = (await tenant.read(f"/v1/{resource}"))["data"]
        assert (found["tags"], found["source_updated_at"]) == (["t5"], said_at(5).replace(".5Z", ".500000Z"))
        assert result["id"] == found["id"]


@pytest.mark.parametrize("resource", RESOURCES)
async def test_a_patch_that_comes_late_answers_the_record_as_it_is(service: ServiceUnderTest, resource: str) -> None:
    tenant = service.tenant()
    made = await tenant.create(f"/v1/{resource}", **RESOURCES[resource], source_updated_at=said_at(5))
    path = f"/v1/{resource}/{made['id']}"
    late = await tenant.client.patch(path, json={"tags": ["late"], "source_updated_at": said_at(4)})
    assert (late.status_code, late.headers.get("Relata-Stale"), late.json()) == (200, "true", made)
    assert len(await service.events(f"crm.pipeline.{resource[:-1]}", key=made["id"])) == 1
    same = await tenant.client.patch(path, json={"tags": ["same"], "source_updated_at": said_at(5)})
    assert (same.headers.get("Relata-Stale"), same.json()["tags"]) == (None, ["same"])
    ours = await tenant.client.patch(path, json={"tags": ["ours"]})
    assert (ours.json()["tags"], ours.json()["source_updated_at"]) == (["ours"], same.json()["source_updated_at"])
    # Who may not write it is told that first, and who sends nonsense too.
    assert (await tenant.client.patch(path, json={"nope": 1, "source_updated_at": said_at(1)})).status_code == 422
    cleared = await tenant.client.patch(path, json={"source_updated_at": None})
    assert cleared.json()["source_updated_at"] is None
    again = await tenant.client.patch(path, json={"tags": ["again"], "source_updated_at": said_at(1)})
    assert again.json()["tags"] == ["again"]


async def test_what_an_operation_leaves_is_what_the_next_is_measured_by(service: ServiceUnderTest) -> None:
    """Within one batch, and though they are prepared together."""
    tenant = service.tenant()
    base = {"source": "shop", "external_id": "1", **RESOURCES["orders"]}
    results = await upsert(
        tenant,
        "orders",
        {**base, "number": "1", "source_updated_at": said_at(3)},
        {**base, "number": "2", "source_updated_at": said_at(9)},
        {**base, "number": "3", "source_updated_at": said_at(5)},
    )
    assert [(result["status"], result.get("stale")) for result in results] == [(201, None), (200, None), (200, True)]
    [order] = (await tenant.read("/v1/orders"))["data"]
    assert (order["number"], order["version"]) == ("2", 2)
    assert results[2]["version"] == 2
