"""The committed schemas and examples: up to date, valid, and read by the models."""

import json

import jsonschema
import pytest
from crm_contracts.asyncapi import document
from crm_contracts.document_text import document_text
from crm_contracts.envelope import Event
from crm_contracts.registry import EVERY_TOPIC, Topic
from crm_contracts.released import text_of
from crm_contracts.schemas import ASYNCAPI_FILE, EXAMPLES, SCHEMAS, examples, schemas

EVENT_TYPES = [(topic, action) for topic in EVERY_TOPIC for action in topic.actions]


def names(types: list[tuple[Topic, str]]) -> list[str]:
    return [topic.event_type(action) for topic, action in types]


def test_the_committed_schemas_and_examples_are_those_of_the_models() -> None:
    """Run `make schemas` and commit what it wrote."""
    for folder, documents in ((SCHEMAS, schemas()), (EXAMPLES, examples())):
        committed = {file.stem: file.read_text(encoding="utf-8") for file in folder.glob("crm.*.json")}
        assert committed == {event_type: text_of(document) for event_type, document in documents.items()}


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
    assert ASYNCAPI_FILE.read_text(encoding="utf-8") == document_text(document()) + "\n"
