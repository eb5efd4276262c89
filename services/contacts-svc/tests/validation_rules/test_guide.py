"""What the guide shows is what happens."""

import re

from crm_contracts.validation_rules import ValidationRule
from crm_testkit.guides import examples, guide, tried
from crm_testkit.service import ServiceUnderTest

GUIDE = guide("validation-rules.md")


async def test_every_example_is_answered_as_it_says(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    await tenant.create("/v1/contacts", full_name="李娜", lifecycle_stage="customer")
    told = list(examples(GUIDE))
    assert len(told) == 3
    rule_id = ""
    for example in told:
        for error in example.answer.get("errors", ()):
            error["rule_id"] = rule_id
        rule_id = (await tried(tenant.client, example)).get("id", rule_id)


def test_every_member_is_one() -> None:
    table = GUIDE.partition("| member | |")[2].partition("\n\n")[0]
    first_cells = re.findall(r"^\| ([^|]*) \|", table, re.MULTILINE)
    assert {
        name for cell in first_cells for name in re.findall("`([a-z_]+)`", cell)
    } <= ValidationRule.model_fields.keys()
