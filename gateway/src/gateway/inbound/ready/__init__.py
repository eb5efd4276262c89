"""The mappings that come with the release, by kind of source."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from crm_contracts.inbound import SourceKind

from gateway.inbound.mappings import TopicMapping


@cache
def ready_mappings(kind: SourceKind) -> Mapping[str, TopicMapping]:
    """By topic; none for a kind whose payloads may be anything."""
    file = files(__name__) / f"{kind}.json"
    if not file.is_file():
        return {}
    written = json.loads(file.read_text(encoding="utf-8"))
    defined: Mapping[str, Any] = written["define"]
    found = {}
    for topics, steps in written["topics"].items():
        whole = [{**defined[step["use"]], **{k: v for k, v in step.items() if k != "use"}} if "use" in step else step
                 for step in steps]  # fmt: skip
        for topic in topics.split(" "):
            found[topic] = TopicMapping.model_validate({"steps": whole})
    return found
