"""`python -m crm_contracts.released`: freezes what every topic's events are, as its present minor version.

`released/<topic>.v<major>.<minor>.json` holds the schema of the events' value and one example of each event. A file is
written once, at a release, and neither changed nor deleted: its digest is in `released/index.json`.
"""

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from crm_contracts.compatibility import incompatibilities
from crm_contracts.event_schemas import data_model, event_example, event_schema
from crm_contracts.registry import EVERY_TOPIC, Topic

RELEASED: Final = Path(__file__).parents[2] / "released"
_INDEX: Final = "index.json"

ADVICE: Final = """A released event has changed (docs/guides/upgrading.md).
 - A new member must be optional: `name: Type | None = None`. To take one away, make sure that it was optional before.
 - Raise the topic's `minor` in crm_contracts/registry.py by one for every release that adds or takes away members.
 - Whatever else: leave it as it is, and publish the changed entity as a new major version beside this one.
"""


def text_of(document: object) -> str:
    """A generated file's text."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def file_name(topic: Topic, minor: int) -> str:
    return f"{topic.name}.v{topic.version}.{minor}.json"


def frozen(topic: Topic) -> dict[str, Any]:
    """What a release says of a topic."""
    schema = event_schema(topic, topic.actions[0])
    return {
        "schema": {**schema, "$id": f"/released/{file_name(topic, topic.minor)}", "title": topic.name},
        "examples": {action: event_example(topic, action) for action in topic.actions},
    }


def faults(folder: Path = RELEASED, topics: tuple[Topic, ...] = EVERY_TOPIC) -> list[str]:
    """How today's models break with any minor that was ever released; empty where nowhere."""
    return [*_damage(folder), *(fault for topic in topics for fault in _broken(folder, topic))]


def _index(folder: Path) -> dict[str, str]:
    file = folder / _INDEX
    found: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return found


def _damage(folder: Path) -> Iterator[str]:
    index = _index(folder)
    for name, digest in index.items():
        file = folder / name
        if not file.exists() or hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            yield f"released/{name} is not what was released: take it back out of the history"
    for file in sorted(folder.glob("crm.*.json")):
        if file.name not in index:
            yield f"released/{file.name} is not in released/{_INDEX}: only `make release-contracts` writes there"


def _broken(folder: Path, topic: Topic) -> Iterator[str]:
    today = frozen(topic)
    for file in sorted(folder.glob(f"{topic.name}.v{topic.version}.*.json")):
        minor = int(file.name.split(".")[-2])
        released = json.loads(file.read_text(encoding="utf-8"))
        where = f"{topic.name} v{topic.version}.{minor}"
        yield from (f"{where}: {fault}" for fault in incompatibilities(released["schema"], today["schema"]))
        if gone := set(released["examples"]) - set(topic.actions):
            yield f"{where}: {', '.join(sorted(gone))} is gone; a consumer may still wait for it"
        yield from _unread(topic, where, released["examples"])
        if minor > topic.minor:
            yield f"{where} was released, and `minor` is only {topic.minor}"
        if minor == topic.minor and _substance(released) != _substance(today):
            yield f"{where} was released with other members or actions: raise `minor` to {minor + 1}"


def _unread(topic: Topic, where: str, examples: Mapping[str, Any]) -> Iterator[str]:
    for action, example in examples.items():
        try:
            data_model(topic.model).model_validate(example["value"])
        except ValidationError as error:
            first = error.errors()[0]
            place = "/".join(str(step) for step in first["loc"])
            yield f"{where}: its example of {action} is refused at /{place}: {first['msg']}"


def _substance(document: Mapping[str, Any]) -> object:
    """The members and actions, without the words that explain them."""
    schema = document["schema"]
    parts = {"": schema, **schema.get("$defs", {})}
    members = {name: sorted(part.get("properties", {})) for name, part in parts.items()}
    return members, sorted(document["examples"])


def main() -> None:
    if broken := faults():
        sys.exit(ADVICE + "\n".join(broken))
    RELEASED.mkdir(exist_ok=True)
    index = _index(RELEASED)
    for topic in EVERY_TOPIC:
        file = RELEASED / file_name(topic, topic.minor)
        if file.name not in index:
            file.write_text(text_of(frozen(topic)), encoding="utf-8")
            index[file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
    (RELEASED / _INDEX).write_text(text_of(dict(sorted(index.items()))), encoding="utf-8")


if __name__ == "__main__":
    main()
