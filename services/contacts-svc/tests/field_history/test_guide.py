"""What the guide shows is what happens."""

import re
from typing import get_args

from contacts_svc.features.field_history.rules import SourceKind
from crm_testkit.guides import examples, guide, tried
from crm_testkit.service import ServiceUnderTest

GUIDE = guide("field-history.md")


async def test_the_example_is_answered_as_it_says(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    record = (await tenant.create("/v1/contacts", full_name="王伟", title="Buyer"))["id"]
    await tenant.client.patch(f"/v1/contacts/{record}", json={"title": "Head"})
    [example] = examples(GUIDE)
    shown = await tried(tenant.client, example, {"contact_…": record})
    assert {field: [each["value"] for each in values] for field, values in shown["history"].items()} == {
        "title": ["Head", "Buyer"],
        "owner_id": [],
    }


def test_every_source_is_told_of() -> None:
    table = GUIDE.partition("| `source.kind` | |")[2].partition("\n\n")[0]
    first_cells = re.findall(r"^\| ([^|]*) \|", table, re.MULTILINE)
    assert {name for cell in first_cells for name in re.findall("`([a-z_]+)`", cell)} == set(get_args(SourceKind))
