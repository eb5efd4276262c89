"""The examples of a guide: a request and what is answered, as `docs/guides` write them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

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
