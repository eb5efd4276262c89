"""The examples of a guide: a request and what is answered, as `docs/guides` write them."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx

from crm_testkit.new_feature import ROOT

_EXAMPLE: Final = re.compile(
    r"```http\n(?P<method>\S+) (?P<path>\S+)(?P<rest>.*?)\n\nHTTP/1.1 (?P<status>\d+)\n(?P<answer>.*?)\n```", re.S
)
_HEADER: Final = re.compile(r"([A-Za-z-]+): (.+)\n")


class Example(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: Any
    status: int
    answer: dict[str, Any]


def guide(name: str) -> str:
    return Path(ROOT / "docs/guides" / name).read_text(encoding="utf-8")


def examples(text: str) -> Iterator[Example]:
    for found in _EXAMPLE.finditer(text):
        headers = dict(_HEADER.findall(found["rest"].partition("{")[0]))
        start = found["rest"].find("{")
        body = json.loads(found["rest"][start:]) if start >= 0 else None
        yield Example(found["method"], found["path"], headers, body, int(found["status"]), json.loads(found["answer"]))


async def tried(client: httpx.AsyncClient, example: Example, names: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Sends an example; what is answered, which is as it says. `names`: what stands for what, in the path and the body."""
    path, body = example.path, json.dumps(example.body, ensure_ascii=False)
    for name, value in (names or {}).items():
        path, body = path.replace(name, value), body.replace(name, value)
    content = body if example.body is not None else None
    headers = {"Content-Type": "application/json", **example.headers}
    answer = await client.request(example.method, path, content=content, headers=headers)
    assert answer.status_code == example.status, (path, answer.text)
    shown: dict[str, Any] = answer.json()
    assert {name: shown[name] for name in example.answer} == example.answer
    return shown
