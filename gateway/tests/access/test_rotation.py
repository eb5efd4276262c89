"""A key is replaced without a gap: both are valid for a while, then the new one alone."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from crm_testkit.door import Door, Keyholder


async def made(tenant: Keyholder, **body: Any) -> dict[str, Any]:
    response = await tenant.client.post("/v1/api-keys", json={"name": "ERP", "scopes": ["orders:write"], **body})
    return dict(response.json())


async def test_both_are_valid_until_the_overlap_is_over(door: Door, tenant: Keyholder) -> None:
    old = await made(tenant)
    answer = await tenant.client.post(f"/v1/api-keys/{old['id']}/rotate", json={"overlap_seconds": 2})
    new = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (201, f"/v1/api-keys/{new['id']}")
    assert (new["name"], new["scopes"], new["expires_at"]) == ("ERP", ["orders:write"], None)
    for key in (old["key"], new["key"]):
        assert (await door.client(key).post("/v1/orders", json={})).status_code == 200
    async with asyncio.timeout(10):
        while (await door.client(old["key"]).post("/v1/orders", json={})).status_code != 401:
            await asyncio.sleep(0.2)
    assert (await door.client(new["key"]).post("/v1/orders", json={})).status_code == 200


async def test_a_day_where_nothing_is_said_and_never_longer_than_before(tenant: Keyholder) -> None:
    day = datetime.now(UTC) + timedelta(days=1)
    old = await made(tenant)
    assert (await tenant.client.post(f"/v1/api-keys/{old['id']}/rotate")).status_code == 201
    after = (await tenant.client.get(f"/v1/api-keys/{old['id']}")).json()
    assert abs(datetime.fromisoformat(after["expires_at"]) - day) < timedelta(minutes=1)
    assert after["version"] == old["version"] + 1
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    brief = await made(tenant, expires_at=soon)
    new = (await tenant.client.post(f"/v1/api-keys/{brief['id']}/rotate")).json()
    assert new["expires_at"] == brief["expires_at"]
    assert (await tenant.client.get(f"/v1/api-keys/{brief['id']}")).json()["expires_at"] == brief["expires_at"]


@pytest.mark.parametrize("overlap", [-1, 2_592_001, "60", 1.5, None])
async def test_a_senseless_overlap_is_refused(tenant: Keyholder, overlap: object) -> None:
    old = await made(tenant)
    answer = await tenant.client.post(f"/v1/api-keys/{old['id']}/rotate", json={"overlap_seconds": overlap})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/overlap_seconds")


async def test_one_cannot_renew_what_one_lacks(door: Door, tenant: Keyholder) -> None:
    old = await made(tenant)
    clerk = await door.key(tenant, "admin", "read")
    answer = await clerk.post(f"/v1/api-keys/{old['id']}/rotate")
    assert (answer.status_code, answer.json()["missing_permission"]) == (403, "orders:write")


async def test_a_replay_answers_the_same_new_key(tenant: Keyholder) -> None:
    old, headers = await made(tenant), {"Idempotency-Key": "rotate-once"}
    path = f"/v1/api-keys/{old['id']}/rotate"
    first = await tenant.client.post(path, headers=headers)
    again = await tenant.client.post(path, headers=headers)
    assert (again.json(), again.headers["idempotent-replayed"]) == (first.json(), "true")
