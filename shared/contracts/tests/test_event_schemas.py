"""The committed schemas and examples: up to date, valid, and readable with today's models for ever."""

import json
from pathlib import Path

import jsonschema
import pytest
from crm_contracts.asyncapi import document
from crm_contracts.compatibility import incompatibilities
from crm_contracts.envelope import Event
from crm_contracts.registry import TOPICS, Topic
from crm_contracts.schemas import ASYNCAPI_FILE, EXAMPLES, SCHEMAS, faults, schemas, text_of

EVENT_TYPES = [(topic, action) for topic in TOPICS for action in topic.actions]


def names(types: list[tuple[Topic, str]]) -> list[str]:
    return [topic.event_type(action) for topic, action in types]


def test_the_committed_schemas_are_those_of_the_models() -> None:
    """Run `make schemas` and commit what it wrote."""
    stale = [
        event_type
        for event_type, schema in schemas().items()
        if not (SCHEMAS / f"{event_type}.json").exists()
        or (SCHEMAS / f"{event_type}.json").read_text(encoding="utf-8") != text_of(schema)
    ]
    assert not stale
    assert not faults(SCHEMAS)


def test_no_event_type_was_ever_taken_away() -> None:
    """A consumer may still wait for it: keep it in the registry, and its example beside the others."""
    committed = {file.stem for file in SCHEMAS.glob("crm.*.json")} | {file.stem for file in EXAMPLES.glob("*.json")}
    assert committed == set(schemas())


@pytest.mark.parametrize(("topic", "action"), EVENT_TYPES, ids=names(EVENT_TYPES))
def test_every_example_is_read_by_todays_model_and_schema(topic: Topic, action: str) -> None:
    event_type = topic.event_type(action)
    example = json.loads((EXAMPLES / f"{event_type}.json").read_text(encoding="utf-8"))
    schema = json.loads((SCHEMAS / f"{event_type}.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(example["value"], schema)

    event = Event.parse(example["headers"], json.dumps(example["value"]).encode())
    assert (event.type, event.subject) == (event_type, example["key"])
    entity = topic.model.model_validate(event.entity).model_dump(mode="json")
    assert set(example["value"]["entity"]) <= set(entity)
    assert entity["version"] == event.sequence


def test_the_asyncapi_file_is_up_to_date() -> None:
    assert ASYNCAPI_FILE.read_text(encoding="utf-8") == text_of(document())


OLD = {
    "type": "object",
    "required": ["id", "money"],
    "properties": {
        "id": {"type": "string"},
        "note": {"type": "string"},
        "stage": {"enum": ["new", "won"]},
        "money": {"$ref": "#/$defs/Money"},
        "due": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/Money"}},
    },
    "$defs": {"Money": {"type": "object", "required": ["amount"], "properties": {"amount": {"type": "string"}}}},
}

Change = tuple[str, object]


def changed(*changes: Change) -> dict[str, object]:
    new = json.loads(json.dumps(OLD))
    for place, value in changes:
        *path, last = place.split("/")
        target = new
        for step in path:
            target = target[step]
        if value is None:
            del target[last]
        else:
            target[last] = value
    return dict(new)


FINE: list[tuple[str, list[Change]]] = [
    ("nothing", []),
    ("an optional field comes", [("properties/colour", {"type": "string"})]),
    ("an optional field goes", [("properties/note", None)]),
    ("a value comes", [("properties/stage/enum", ["new", "won", "lost"])]),
    ("words change", [("properties/id/description", "The id"), ("title", "Other")]),
]
BREAKING: list[tuple[str, list[Change], str]] = [
    ("a required field goes", [("properties/id", None), ("required", ["money"])], "/id: was always there"),
    ("a required field becomes optional", [("required", ["money"])], "/id: was always there and may be missing"),
    (
        "a required field comes",
        [("properties/x", {"type": "string"}), ("required", ["id", "money", "x"])],
        "/x: is required, but older events",
    ),
    ("a type changes", [("properties/id/type", "integer")], "/id: type was 'string'"),
    ("a format changes", [("properties/due/anyOf", [{"type": "string"}, {"type": "null"}])], "/due: format"),
    ("null is no longer possible", [("properties/due/anyOf", [{"type": "string", "format": "date"}])], "/due: had 2"),
    ("a value goes", [("properties/stage/enum", ["new"])], "/stage: the values ['won']"),
    ("deep inside", [("$defs/Money/properties/amount/type", "number")], "/money/amount: type"),
    ("in a list", [("$defs/Money/required", ["amount", "x"])], "/lines/*/x: is required"),
]


@pytest.mark.parametrize("changes", [case[1] for case in FINE], ids=[case[0] for case in FINE])
def test_what_may_change_within_a_version(changes: list[Change]) -> None:
    assert incompatibilities(OLD, changed(*changes)) == []


@pytest.mark.parametrize(("changes", "said"), [case[1:] for case in BREAKING], ids=[case[0] for case in BREAKING])
def test_what_needs_a_new_version(changes: list[Change], said: str) -> None:
    assert any(fault.startswith(said) for fault in incompatibilities(OLD, changed(*changes)))


def test_a_committed_schema_that_todays_breaks_is_found(tmp_path: Path) -> None:
    event_type, schema = next(iter(schemas().items()))
    committed = json.loads(json.dumps(schema))
    committed["required"] = [*committed["required"], "reason"]
    committed["properties"]["reason"] = {"type": "string"}
    (tmp_path / f"{event_type}.json").write_text(json.dumps(committed))
    assert faults(tmp_path) == [f"{event_type} /reason: was always there and is gone"]
