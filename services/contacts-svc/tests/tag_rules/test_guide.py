"""What the guide shows is what happens."""

import re
from typing import Any

from contacts_svc.features.contacts.repository import TAG_FIELDS as FIELDS
from crm_contracts.registry import ORDER
from crm_testkit.guides import Example, examples, guide, tried
from crm_testkit.service import ServiceUnderTest, Tenant
from crm_testkit.tagged_contacts import cny, evaluated, made, person, tell, until_tagged

GUIDE = guide("tag-rules.md")


async def test_every_example_is_answered_as_it_says(service: ServiceUnderTest, tenant: Tenant) -> None:
    contact_id = await person(tenant, tags=["met in Hangzhou"])
    await made(tenant, "bought", {"field": "orders.count", "op": "gte", "value": 1})
    await tell(service, tenant, ORDER, contact_id, total=cny("12800.00"))
    await until_tagged(tenant, contact_id, "met in Hangzhou", "bought")
    [rule] = (await tenant.read("/v1/tag-rules"))["data"]
    await tenant.client.delete(f"/v1/tag-rules/{rule['id']}")
    told = list(examples(GUIDE))
    assert len(told) == 7
    answers: list[dict[str, Any]] = []
    names = {"CONTACT": contact_id}
    for example in told:
        await evaluated(tenant)
        answers.append(await tried(tenant.client, _filled(example, names), names))
        if "id" in answers[-1] and "RULE" not in names:
            names["RULE"] = answers[-1]["id"]
            await until_tagged(tenant, contact_id, "met in Hangzhou", "high value")
            told_tags = (await tenant.read(f"/v1/contacts/{contact_id}/tags"))["data"]
            names["SINCE"] = told_tags[1]["since"]


def _filled(example: Example, names: dict[str, str]) -> Example:
    """Its answer with the ids that there are."""

    def fill(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: fill(inner) for name, inner in value.items()}
        return [fill(inner) for inner in value] if isinstance(value, list) else names.get(str(value), value)

    return example._replace(answer=fill(example.answer))


def test_every_field_on_what_belongs_to_a_contact_is_told_of() -> None:
    table = GUIDE.partition("| fields | |")[2].partition("\n\n")[0]
    told = set(re.findall(r"`((?:orders|deals|tickets)\.[a-z_]+)(?:\.CNY)?`", table))
    known = {
        field.family or field.name for field in FIELDS if field.name.partition(".")[0] in ("orders", "deals", "tickets")
    }
    assert told == known
