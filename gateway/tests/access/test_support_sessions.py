"""Support staff act for a tenant by a key of its own, which it sees and can take away."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from crm_testkit.door import Door, Keyholder
from crm_testkit.stand_in import Reply


def session(**more: Any) -> dict[str, Any]:
    return {"staff": "chen.jing@example.com", "reason": "工单 4711", **more}


async def opened(door: Door, tenant: Keyholder, **more: Any) -> dict[str, Any]:
    answer = await door.admin.post(f"/v1/tenants/{tenant.id}/support-sessions", json=session(**more))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_the_tenant_sees_who_and_why_and_until_when(door: Door, tenant: Keyholder) -> None:
    made = await opened(door, tenant, minutes=30)
    key = made.pop("key")
    assert made["support"] == {"staff": "chen.jing@example.com", "reason": "工单 4711"}
    ends = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=29) < ends <= timedelta(minutes=30)
    [seen] = (await tenant.client.get("/v1/api-keys", params={"is_support": "true"})).json()["data"]
    assert seen == made
    assert [one["support"] for one in (await tenant.client.get("/v1/api-keys?is_support=false")).json()["data"]] == [
        None
    ]
    told = (await tenant.client.get("/v1/audit-log", params={"entity_id": made["id"]})).json()["data"]
    assert [(one["actor"], one["action"]) for one in told] == [("admin", "created")]
    assert told[0]["changes"]["support"]["after"] == made["support"]
    assert key not in str(told)


async def test_it_has_the_roles_that_were_asked_for_and_administers_nothing(door: Door, tenant: Keyholder) -> None:
    door.behind["pipeline"].reset(lambda _: Reply(body=b'{"data": []}'))
    auditor = door.client((await opened(door, tenant))["key"])
    assert (await auditor.get("/v1/deals")).status_code == 200
    assert (await auditor.post("/v1/deals", json={"name": "x"})).status_code == 403
    owner = door.client((await opened(door, tenant, roles=["owner"]))["key"])
    body = {"name": "x", "email": "x@example.com"}
    for refused in (
        await owner.post("/v1/api-keys", json={"name": "x", "scopes": ["read"]}),
        await owner.get("/v1/api-keys"),
        await owner.post("/v1/users", json=body),
        await owner.post("/v1/roles", json={"name": "x"}),
        await owner.post("/scim/v2/Users", json={"userName": "x@example.com"}),
        await owner.get("/v1/audit-log"),
        await owner.post(f"/v1/tenants/{tenant.id}/support-sessions", json=session()),
    ):
        assert refused.status_code == 403, refused.text


async def test_the_tenant_ends_it_and_nobody_renews_it(door: Door, tenant: Keyholder) -> None:
    made = await opened(door, tenant, roles=["owner"])
    staff = door.client(made["key"])
    assert (await staff.get("/v1/users")).status_code == 200
    rotated = await tenant.client.post(f"/v1/api-keys/{made['id']}/rotate")
    assert (rotated.status_code, rotated.json()["code"]) == (409, "support_session")
    assert (await tenant.client.delete(f"/v1/api-keys/{made['id']}")).status_code == 204
    async with asyncio.timeout(10):
        while (await staff.get("/v1/users")).status_code != 401:
            await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"minutes": 481}, "/minutes"),
        ({"reason": ""}, "/reason"),
        ({"staff": "  "}, "/staff"),
        ({"roles": []}, "/roles"),
        ({"roles": ["nobody"]}, "/roles/0"),
    ],
)
async def test_what_the_tenant_could_not_judge_is_refused(
    door: Door, tenant: Keyholder, more: dict[str, Any], pointer: str
) -> None:
    answer = await door.admin.post(f"/v1/tenants/{tenant.id}/support-sessions", json=session(**more))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_only_the_installations_administrator_opens_one_of_a_tenant_that_there_is(
    door: Door, tenant: Keyholder
) -> None:
    path = f"/v1/tenants/{tenant.id}/support-sessions"
    refused = await tenant.client.post(path, json=session())
    assert (refused.status_code, refused.json()["missing_permission"]) == (403, "administrator")
    absent = await door.admin.post("/v1/tenants/tenant_01jd3zq8w9e2vbx7k5m4n6p8qr/support-sessions", json=session())
    assert absent.status_code == 404
