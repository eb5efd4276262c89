"""Consents of contacts that become one: the stricter wins; nobody who withdrew is written to again by an undoing."""

from typing import Any

import pytest
from crm_testkit.service import ServiceUnderTest, Tenant


async def _say(tenant: Tenant, contact: dict[str, Any], status: str, **more: Any) -> dict[str, Any]:
    body = {"channel": "email", "purpose": "news", "status": status, "source": "form", **more}
    return await tenant.create(f"/v1/contacts/{contact['id']}/consents", **body)


async def _state(tenant: Tenant, contact: dict[str, Any]) -> str | None:
    data = (await tenant.read(f"/v1/contacts/{contact['id']}/consents/state"))["data"]
    return next((entry["status"] for entry in data if entry["purpose"] == "news"), None)


@pytest.mark.parametrize(
    ("survivor", "other", "merged"),
    [
        (None, "granted", "granted"),
        (None, "withdrawn", "withdrawn"),
        ("granted", None, "granted"),
        ("granted", "granted", "granted"),
        ("granted", "withdrawn", "withdrawn"),
        ("withdrawn", "granted", "withdrawn"),
        ("withdrawn", "withdrawn", "withdrawn"),
        (None, None, None),
    ],
)
async def test_the_stricter_wins_and_undoing_gives_back(
    service: ServiceUnderTest, survivor: str | None, other: str | None, merged: str | None
) -> None:
    tenant = service.tenant()
    first = await tenant.create("/v1/contacts", full_name="First")
    second = await tenant.create("/v1/contacts", full_name="Second")
    # The other's is older: were time to decide, a withdrawal would be lost.
    for contact, status in ((second, other), (first, survivor)):
        if status is not None:
            await _say(tenant, contact, status)
    answer = await tenant.client.post(f"/v1/contacts/{first['id']}/merge", json={"from": [second["id"]]})
    assert await _state(tenant, first) == merged
    await tenant.client.post(f"/v1/merges/{answer.json()['merge']['id']}/undo")
    assert await _state(tenant, first) == survivor
    assert await _state(tenant, second) == other


async def test_of_two_that_end_the_one_that_ends_first_counts(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    first = await tenant.create("/v1/contacts", full_name="First")
    second = await tenant.create("/v1/contacts", full_name="Second")
    await _say(tenant, first, "granted", expires_at="2099-01-01T00:00:00Z")
    await _say(tenant, second, "granted", expires_at="2098-01-01T00:00:00Z", wording="v2")
    result = await tenant.client.post(f"/v1/contacts/{first['id']}/merge", json={"from": [second["id"]]})
    (entry,) = result.json()["consents"]
    assert (entry["expires_at"], entry["wording"], entry["source"]) == ("2098-01-01T00:00:00Z", "v2", "merge")
    assert entry["evidence"]["merge_id"] == result.json()["merge"]["id"]


async def test_who_withdrew_since_has_withdrawn_as_each_of_them(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    first = await tenant.create("/v1/contacts", full_name="First")
    second = await tenant.create("/v1/contacts", full_name="Second")
    await _say(tenant, second, "granted")
    answer = await tenant.client.post(f"/v1/contacts/{first['id']}/merge", json={"from": [second["id"]]})
    await _say(tenant, first, "withdrawn")
    await tenant.client.post(f"/v1/merges/{answer.json()['merge']['id']}/undo")
    assert await _state(tenant, first) == "withdrawn"
    assert await _state(tenant, second) == "withdrawn"
