"""What the guide shows is what happens."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from crm_testkit.service import Tenant

GUIDE = Path(__file__).parents[4] / "docs/guides/custom-fields.md"
EXAMPLE = re.compile(
    r"```http\n(?P<method>\S+) (?P<path>\S+)\n(?P<rest>.*?)\n\nHTTP/1.1 (?P<status>\d+)\n(?P<answer>.*?)\n```", re.S
)
HEADER = re.compile(r"([A-Za-z-]+): (.+)\n")


class Example(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: Any
    status: int
    answer: dict[str, Any]


def examples() -> Iterator[Example]:
    for found in EXAMPLE.finditer(GUIDE.read_text(encoding="utf-8")):
        headers = dict(HEADER.findall(found["rest"].partition("{")[0]))
        body = json.loads(found["rest"][found["rest"].index("{") :])
        yield Example(found["method"], found["path"], headers, body, int(found["status"]), json.loads(found["answer"]))


async def test_every_example_is_answered_as_it_says(tenant: Tenant) -> None:
    """`contact_…` in a path is the newest contact."""
    newest: dict[str, str] = {}
    told = list(examples())
    assert len(told) == 8
    for example in told:
        path = re.sub(r"([a-z_]+)_…", lambda found: newest[found[1]], example.path)
        answer = await tenant.client.request(example.method, path, json=example.body, headers=example.headers)
        assert answer.status_code == example.status, answer.text
        shown: Mapping[str, Any] = answer.json()
        assert {name: shown[name] for name in example.answer} == example.answer
        if "id" in shown:
            newest[shown["id"].rpartition("_")[0]] = shown["id"]
