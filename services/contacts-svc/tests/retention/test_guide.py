"""What the guide shows is what happens."""

from crm_testkit.guides import examples, guide, tried
from crm_testkit.service import Tenant


async def test_every_example_is_answered_as_it_says(tenant: Tenant) -> None:
    known: dict[str, str] = {}
    told = list(examples(guide("retention.md")))
    assert len(told) == 6
    for example in told:
        shown = await tried(tenant.client, example, known)
        if example.path == "/v1/contacts":
            known["CONTACT"] = shown["id"]
