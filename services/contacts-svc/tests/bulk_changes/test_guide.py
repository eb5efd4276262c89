"""What the guide shows is what happens."""

from crm_testkit.guides import examples, guide, tried
from crm_testkit.jobs import ended
from crm_testkit.service import ServiceUnderTest


async def test_every_example_is_answered_as_it_says(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    for city in ("杭州", "上海"):
        await tenant.create("/v1/contacts", full_name="王伟", address={"city": city})
    told = list(examples(guide("archiving-and-bulk-changes.md").partition("## Changing many")[2]))
    assert len(told) == 4
    newest = ""
    for example in told:
        if example.method == "GET":
            await ended(tenant.client, f"/v1/bulk-changes/{newest}")
        shown = await tried(tenant.client, example, {"bulk_change_…": newest})
        newest = shown.get("id", newest)
