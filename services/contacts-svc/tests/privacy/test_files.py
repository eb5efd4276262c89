"""An erasure takes the files in which the person stands, or of which nobody can tell, and leaves the others."""

from typing import Any

import asyncpg
from crm_testkit.importing import imported
from crm_testkit.jobs import ended
from crm_testkit.service import ServiceUnderTest, Tenant
from crm_testkit.writers import until

REQUESTS = "/v1/privacy-requests"


async def exported(tenant: Tenant, resource: str, **members: Any) -> dict[str, Any]:
    made = await tenant.create("/v1/exports", resource=resource, **members)
    found: dict[str, Any] = await ended(tenant.client, f"/v1/exports/{made['id']}")
    assert found["status"] == "succeeded"
    return found


async def erased(tenant: Tenant, contact_id: str) -> None:
    """Until this service has told that nothing is left."""
    request = await tenant.create(REQUESTS, kind="erasure", contact_id=contact_id)

    async def is_told() -> bool:
        receipts = (await tenant.read(f"{REQUESTS}/{request['id']}"))["receipts"]
        return any(receipt["service"] == "contacts" for receipt in receipts)

    await until(is_told)


async def has_file(tenant: Tenant, export: dict[str, Any]) -> bool:
    return (await tenant.client.get(f"/v1/exports/{export['id']}/file")).status_code == 200


async def test_of_exports_those_go_that_hold_the_person(tenant: Tenant) -> None:
    mine, other = [await tenant.create("/v1/contacts", full_name=name, source=name) for name in ("李娜", "李四")]
    await tenant.create("/v1/activities", kind="call", contact_id=mine["id"])
    await tenant.create("/v1/accounts", name="云帆")

    def of(source: str) -> dict[str, Any]:
        return {"field": "source", "op": "eq", "value": source}

    without = await exported(tenant, "contacts", where=of("李四"), columns=["full_name"])
    workbook = await exported(tenant, "contacts", format="xlsx", columns=["full_name"])
    single = await exported(tenant, "contacts", where=of("李娜"), columns=["full_name"])
    calls = await exported(tenant, "activities", columns=["kind"])
    accounts = await exported(tenant, "accounts", columns=["name"])
    await erased(tenant, mine["id"])
    found = {
        name: await has_file(tenant, each)
        for name, each in locals().items()
        if isinstance(each, dict) and "resource" in each
    }
    assert found == {"without": True, "workbook": False, "single": False, "calls": False, "accounts": True}
    assert (await tenant.read(f"/v1/exports/{without['id']}"))["where"] is None, "it may have named them"
    await erased(tenant, other["id"])
    assert not await has_file(tenant, without)


async def test_of_which_it_was_not_written_down_all_go(service: ServiceUnderTest, tenant: Tenant) -> None:
    """As of what a release before this one has written."""
    mine = await tenant.create("/v1/contacts", full_name="李娜", source="x")
    await tenant.create("/v1/contacts", full_name="李四", source="y")
    export = await exported(
        tenant, "contacts", where={"field": "source", "op": "eq", "value": "y"}, columns=["full_name"]
    )
    connection = await asyncpg.connect(service.urls.app)
    await connection.execute("select set_config('app.tenant_id', $1, false)", tenant.id)
    await connection.execute("delete from export_subjects")
    await connection.close()
    await erased(tenant, mine["id"])
    assert not await has_file(tenant, export)


async def test_of_imports_those_stay_of_which_every_row_became_somebody_else(tenant: Tenant) -> None:
    mine = (await imported(tenant.client, "姓名,邮箱\n李娜,li@example.com\n".encode()))["id"]
    others = (await imported(tenant.client, "姓名,邮箱\n李四,si@example.com\n".encode()))["id"]
    refused = (await imported(tenant.client, "姓名,邮箱\n王五,no address\n".encode()))["id"]
    [contact] = (await tenant.read("/v1/contacts", email="li@example.com"))["data"]
    await erased(tenant, contact["id"])
    rows = {
        import_id: (await tenant.client.get(f"/v1/imports/{import_id}/rows")).json().get("data")
        for import_id in (mine, others, refused)
    }
    assert (rows[mine], len(rows[others] or []), rows[refused]) == ([], 1, [])
