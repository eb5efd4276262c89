"""What the guide shows is what happens."""

import re
from collections.abc import Mapping
from typing import Any

from crm_testkit.guides import examples, guide
from crm_testkit.service import Tenant


async def test_every_example_is_answered_as_it_says(tenant: Tenant) -> None:
    """`contact_…` in a path is the newest contact."""
    newest: dict[str, str] = {}
    told = list(examples(guide("custom-fields.md")))
    assert len(told) == 8
    for example in told:
        path = re.sub(r"([a-z_]+)_…", lambda found: newest[found[1]], example.path)
        answer = await tenant.client.request(example.method, path, json=example.body, headers=example.headers)
        assert answer.status_code == example.status, answer.text
        shown: Mapping[str, Any] = answer.json()
        assert {name: shown[name] for name in example.answer} == example.answer
        if "id" in shown:
            newest[shown["id"].rpartition("_")[0]] = shown["id"]
