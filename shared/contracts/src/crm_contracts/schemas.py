"""`python -m crm_contracts.schemas`: writes `schemas/`, `examples/` and `schemas/asyncapi.json` of shared/contracts.

Refuses to write a schema that consumers of the committed one could stumble over. Examples are written once: an old
event stays readable for ever, and a test reads each with today's models.
"""

import json
import sys
from pathlib import Path
from typing import Any

from crm_contracts import asyncapi
from crm_contracts.compatibility import incompatibilities
from crm_contracts.event_schemas import event_example, event_schema
from crm_contracts.registry import TOPICS

FOLDER = Path(__file__).parents[2]
SCHEMAS = FOLDER / "schemas"
EXAMPLES = FOLDER / "examples"
ASYNCAPI_FILE = SCHEMAS / "asyncapi.json"


def text_of(document: object) -> str:
    """A generated file's text."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def schemas() -> dict[str, dict[str, Any]]:
    """Every event type's schema."""
    return {topic.event_type(action): event_schema(topic, action) for topic in TOPICS for action in topic.actions}


def faults(committed: Path) -> list[str]:
    """How today's schemas break with those in a folder."""
    found: list[str] = []
    for event_type, schema in schemas().items():
        file = committed / f"{event_type}.json"
        if file.exists():
            old = json.loads(file.read_text(encoding="utf-8"))
            found += [f"{event_type} {fault}" for fault in incompatibilities(old, schema)]
    return found


def main() -> None:
    SCHEMAS.mkdir(exist_ok=True)
    EXAMPLES.mkdir(exist_ok=True)
    if broken := faults(SCHEMAS):
        sys.exit("Publish a new version of these beside the old one instead:\n" + "\n".join(broken))
    for event_type, schema in schemas().items():
        (SCHEMAS / f"{event_type}.json").write_text(text_of(schema), encoding="utf-8")
    for topic in TOPICS:
        for action in topic.actions:
            file = EXAMPLES / f"{topic.event_type(action)}.json"
            if not file.exists():
                file.write_text(text_of(event_example(topic, action)), encoding="utf-8")
    ASYNCAPI_FILE.write_text(text_of(asyncapi.document()), encoding="utf-8")


if __name__ == "__main__":
    main()
