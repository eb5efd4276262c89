"""What the guide shows is what happens."""

from crm_testkit.guides import examples, guide, tried
from crm_testkit.service import Tenant


async def test_every_example_is_answered_as_it_says(tenant: Tenant) -> None:
    """`contact_…` and `pool_…` are the newest."""
    newest: dict[str, str] = {}
    told = list(examples(guide("lifecycle-and-pool.md")))
    assert len(told) == 9
    for example in told:
        shown = await tried(tenant.client, example, newest)
        if "id" in shown:
            newest[f"{shown['id'].rpartition('_')[0]}_…"] = shown["id"]
