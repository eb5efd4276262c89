"""What the guide shows is what happens."""

from crm_testkit.guides import examples, guide, tried
from crm_testkit.service import Tenant


async def test_every_example_is_answered_as_it_says(tenant: Tenant) -> None:
    told = list(examples(guide("dates.md")))
    assert len(told) == 5
    for example in told:
        await tried(tenant.client, example)
