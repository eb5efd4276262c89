"""What the guide on billing shows is what happens."""

from crm_contracts.ids import new_id
from crm_testkit.guides import examples, guide, tried
from crm_testkit.service import ServiceUnderTest


async def test_every_example_is_answered_as_it_says(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    names = {"contact_…": new_id("contact")}
    told = list(examples(guide("billing.md")))
    assert len(told) == 7
    for place, example in enumerate(told):
        shown = await tried(tenant.client, example, names)
        if place < 2:
            [result] = shown["results"]
            assert (result["status"], result.get("stale")) == ((201, None), (200, True))[place]
            names["order_…"] = result["id"]
        if example.path == "/v1/invoices":
            names["invoice_…"] = shown["id"]
    assert (await tenant.read(f"/v1/orders/{names['order_…']}"))["status"] == "paid"
