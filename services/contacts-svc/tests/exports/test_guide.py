"""What the guide shows is what happens."""

import re

from contacts_svc.features.export_columns.rules import column
from crm_testkit.guides import examples, guide, tried
from crm_testkit.jobs import ended
from crm_testkit.service import ServiceUnderTest

GUIDE = guide("exporting.md")


async def test_every_example_is_answered_as_it_says(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    for city in ("杭州", "上海"):
        await tenant.create("/v1/contacts", full_name="王伟", address={"city": city}, lifecycle_stage="customer")
    told = list(examples(GUIDE))
    assert len(told) == 3
    export_id = ""
    for example in told:
        if example.method == "GET":
            await ended(tenant.client, f"/v1/exports/{export_id}")
        shown = await tried(tenant.client, example, {"export_…": export_id})
        export_id = shown.get("id", export_id)


def test_every_path_is_one() -> None:
    table = GUIDE.partition("| path | |")[2].partition("\n\n")[0]
    paths = re.findall(r"`([a-z_.0-9]+?)(?:\.<[a-z]+>)?`", table)
    assert len(paths) > 10
    for path in paths:
        whole = {"external_ids": "external_ids.erp", "custom": "custom.level"}.get(path, path)
        whole = f"{whole}.erp" if path == "account.external_ids" else whole
        resource = "accounts" if path.startswith("parent.") else "contacts"
        assert column(resource, whole, {}) is not None, path  # type: ignore[arg-type]  # it is one of them
