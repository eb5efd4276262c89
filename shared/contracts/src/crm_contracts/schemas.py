"""`python -m crm_contracts.schemas`: writes `schemas/`, `examples/` and `schemas/asyncapi.json` of shared/contracts.

They are those of today. What was released before lies in `released/`; where today's models break with that, nothing is
written.
"""

import sys
from pathlib import Path
from typing import Any

from crm_contracts import asyncapi
from crm_contracts.document_text import document_text
from crm_contracts.event_schemas import event_example, event_schema
from crm_contracts.registry import EVERY_TOPIC
from crm_contracts.released import ADVICE, faults, text_of

FOLDER = Path(__file__).parents[2]
SCHEMAS = FOLDER / "schemas"
EXAMPLES = FOLDER / "examples"
ASYNCAPI_FILE = SCHEMAS / "asyncapi.json"


def schemas() -> dict[str, dict[str, Any]]:
    """Every event type's schema."""
    return {topic.event_type(action): event_schema(topic, action) for topic in EVERY_TOPIC for action in topic.actions}


def examples() -> dict[str, dict[str, Any]]:
    """Every event type's example."""
    return {topic.event_type(action): event_example(topic, action) for topic in EVERY_TOPIC for action in topic.actions}


def main() -> None:
    if broken := faults():
        sys.exit(ADVICE + "\n".join(broken))
    for folder, documents in ((SCHEMAS, schemas()), (EXAMPLES, examples())):
        folder.mkdir(exist_ok=True)
        for event_type, document in documents.items():
            (folder / f"{event_type}.json").write_text(text_of(document), encoding="utf-8")
    ASYNCAPI_FILE.write_text(document_text(asyncapi.document()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
