"""What the guide shows is what happens."""

from crm_testkit.guides import examples, guide, tried
from crm_testkit.service import ServiceUnderTest


async def test_every_example_is_answered_as_it_says(service: ServiceUnderTest) -> None:
    """`FIRST` and `SECOND` are the contacts in their order, `MERGE` the merge."""
    tenant = service.tenant()
    known: dict[str, str] = {}
    told = list(examples(guide("merging.md")))
    assert len(told) == 5
    for example in told:
        shown = await tried(tenant.client, example, known)
        if example.path == "/v1/contacts":
            known["SECOND" if "FIRST" in known else "FIRST"] = shown["id"]
        if shown.get("merge"):
            known["MERGE"] = shown["merge"]["id"]
