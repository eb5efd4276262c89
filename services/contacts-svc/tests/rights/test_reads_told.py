"""Who reads a person's members in clear is in the audit log, before the answer goes out."""

from typing import Any

import pytest
from crm_contracts.ids import UserId
from crm_kit.rights import Rights
from crm_kit.rights.grants import ACTIONS, Access, Grant
from crm_testkit.service import ServiceUnderTest, Tenant

EVERYTHING: dict[str, Access] = dict.fromkeys(("open", "personal", "commercial", "private"), "write")


def reader(service: ServiceUnderTest, tenant: Tenant, fields: dict[str, Access], *, admin: bool = False) -> Tenant:
    grants = [Grant(frozenset(["*"]), frozenset(ACTIONS), "all", fields)]
    return service.tenant(tenant.id, rights=Rights(UserId.new(), (), grants, admin=admin))


async def told(tenant: Tenant) -> list[dict[str, Any]]:
    answer = await tenant.client.get("/internal/audit-log", params={"action": "read", "limit": 500})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


async def a_contact(tenant: Tenant, **more: Any) -> str:
    body = {"full_name": "欧阳晓梅", "custom": {"colour": "青"}, **more}
    return str((await tenant.create("/v1/contacts", **body))["id"])


@pytest.mark.parametrize("admin", [False, True])
async def test_a_person_who_reads_is_told_of_once(service: ServiceUnderTest, admin: bool) -> None:
    """Who may see everything is told of like anybody else."""
    tenant = service.tenant()
    one, two = await a_contact(tenant), await a_contact(tenant)
    me = reader(service, tenant, EVERYTHING, admin=admin)
    for _ in range(3):
        await me.read(f"/v1/contacts/{one}")
    [entry] = await told(tenant)
    assert (entry["resource"], entry["entity_id"]) == ("contact", one)
    assert entry["changes"]["shown"]["after"] == ["personal", "private"]
    assert entry["changes"]["operation"]["after"] == f"GET /v1/contacts/{one}"
    await me.read("/v1/contacts")
    assert {entry["entity_id"] for entry in await told(tenant)} == {one, two}
    await me.client.post("/v1/contacts/search", json={})
    assert len(await told(tenant)) == 2
    mate = reader(service, tenant, EVERYTHING)
    await mate.client.post("/v1/contacts/search", json={})
    assert len(await told(tenant)) == 4


async def test_what_is_masked_hidden_or_empty_is_not_told(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    contact = await a_contact(tenant)
    nameless = (await tenant.create("/v1/contacts", wechat="wx-1"))["id"]
    masked = reader(service, tenant, {"open": "read", "personal": "masked"})
    await masked.read(f"/v1/contacts/{contact}")
    await masked.read("/v1/contacts")
    assert await told(tenant) == []
    personal = reader(service, tenant, {"open": "read", "personal": "read"})
    await personal.read("/v1/contacts")
    shown = {entry["entity_id"]: entry["changes"]["shown"]["after"] for entry in await told(tenant)}
    assert shown == {contact: ["personal"], nameless: ["personal"]}


async def test_systems_are_not_told_nor_changes_twice(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    contact = await a_contact(tenant)
    await tenant.read(f"/v1/contacts/{contact}")
    me = reader(service, tenant, EVERYTHING)
    assert (await me.client.patch(f"/v1/contacts/{contact}", json={"title": "经理"})).status_code == 200
    assert (await me.client.get("/v1/contacts/contact_01jd3zq8w9e2vbx7k5m4n6p8qr")).status_code == 404
    assert await told(tenant) == []
