"""What the guide shows is what happens."""

import re
from collections.abc import Mapping
from typing import Any

from crm_testkit.guides import examples, guide
from crm_testkit.service import Tenant


async def test_every_example_is_answered_as_it_says(tenant: Tenant) -> None:
    """`contact_…` and `pool_…` are the newest."""
    newest: dict[str, str] = {}

    def filled(text: str) -> str:
        return re.sub(r"(contact|pool)_…", lambda found: newest[found[1]], text)

    told = list(examples(guide("lifecycle-and-pool.md")))
    assert len(told) == 9
    for example in told:
        body = {name: filled(value) if isinstance(value, str) else value for name, value in example.body.items()}
        answer = await tenant.client.request(example.method, filled(example.path), json=body, headers=example.headers)
        assert answer.status_code == example.status, answer.text
        shown: Mapping[str, Any] = answer.json()
        assert {name: shown[name] for name in example.answer} == example.answer
        if "id" in shown:
            newest[shown["id"].rpartition("_")[0]] = shown["id"]
