"""What the guide shows is what happens."""

from crm_testkit.guides import examples, guide, tried
from crm_testkit.service import ServiceUnderTest


async def test_every_example_is_answered_as_it_says(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    record = (await tenant.create("/v1/contacts", full_name="王伟"))["id"]
    told = list(examples(guide("archiving-and-bulk-changes.md").partition("## Changing many")[0]))
    assert len(told) == 3
    for example in told:
        await tried(tenant.client, example, {"contact_…": record})
