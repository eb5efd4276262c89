"""The AsyncAPI 3 document of everything that Relata publishes, made from the registry."""

from typing import Any, Final

from pydantic.json_schema import models_json_schema

from crm_contracts.envelope import CONTENT_TYPE, ERASED, SPEC_VERSION
from crm_contracts.event_schemas import event_example
from crm_contracts.registry import EVERY_TOPIC, PARTITIONS, Topic

_HEADERS: Final[dict[str, tuple[bool, dict[str, Any]]]] = {
    "ce_specversion": (True, {"const": SPEC_VERSION}),
    "ce_id": (True, {"type": "string", "description": "Unique with ce_source"}),
    "ce_source": (True, {"type": "string", "format": "uri-reference"}),
    "ce_type": (True, {"type": "string"}),
    "ce_subject": (True, {"type": "string", "description": "The entity's id; the record's key too"}),
    "ce_time": (True, {"type": "string", "format": "date-time"}),
    "ce_tenantid": (True, {"type": "string"}),
    "ce_sequence": (
        True,
        {"type": "string", "pattern": "^[1-9][0-9]*$", "description": "The entity's version; ignore lower ones"},
    ),
    "ce_partitionkey": (True, {"type": "string"}),
    "ce_traceparent": (False, {"type": "string", "description": "W3C trace context of the change"}),
    "ce_dataschema": (
        False,
        {"type": "string", "format": "uri", "description": "Ends in the version, such as 1.0; readers need not look"},
    ),
    "ce_actorid": (False, {"type": "string", "description": "Who made the change"}),
    "ce_correlationid": (False, {"type": "string", "description": "The same for all that follows from one beginning"}),
    "ce_causationid": (False, {"type": "string", "description": "The event that this change follows from"}),
    "ce_hops": (
        False,
        {
            "type": "string",
            "pattern": "^[1-9][0-9]*$",
            "description": "How often the chain has left Relata and come back",
        },
    ),
    ERASED: (False, {"const": "true", "description": "Forget what you keep of earlier events of this subject"}),
}
_DESCRIPTION: Final = (
    "Every change of every entity, as CloudEvents 1.0 in Kafka binary mode: attributes in `ce_*` headers, the whole state of the entity"
    " after the change in the value. Records of one entity have its id as key and are in order; a record may come twice: ignore"
    " those whose `ce_sequence` is not higher than what you have. Topics are compacted, so reading one from its beginning rebuilds"
    " everything. A deletion is followed by a tombstone: a record without value."
)


def document() -> dict[str, Any]:
    """AsyncAPI 3.0; the operations are Relata's, so a reader of these events has each reversed."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Relata events",
            "version": "1.0.0",
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {
            "kafka": {
                "host": "{bootstrap}",
                "protocol": "kafka",
                "description": "The Kafka that this installation runs on",
                "variables": {"bootstrap": {"default": "localhost:9092", "description": "KAFKA_BOOTSTRAP_SERVERS"}},
            }
        },
        "channels": {topic.name: _channel(topic) for topic in EVERY_TOPIC},
        "operations": {f"publish.{topic.name}": _operation(topic) for topic in EVERY_TOPIC},
        "components": {
            "messages": {
                **{
                    topic.event_type(action): _message(topic, action)
                    for topic in EVERY_TOPIC
                    for action in topic.actions
                },
                "tombstone": _tombstone(),
            },
            "schemas": _schemas(),
        },
    }


def _channel(topic: Topic) -> dict[str, Any]:
    names = [*topic.event_types, *(["tombstone"] if "deleted" in topic.actions else [])]
    return {
        "address": topic.name,
        "title": f"{topic.entity} of {topic.service}",
        "description": (topic.model.__doc__ or "").strip(),
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": PARTITIONS,
                "topicConfiguration": {"cleanup.policy": ["compact"]},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operation(topic: Topic) -> dict[str, Any]:
    return {
        "action": "send",
        "title": f"Publish every change of a {topic.entity}",
        "channel": {"$ref": f"#/channels/{topic.name}"},
    }


def _message(topic: Topic, action: str) -> dict[str, Any]:
    event_type = topic.event_type(action)
    example = event_example(topic, action)
    return {
        "name": event_type,
        "title": f"{topic.entity} {action.replace('_', ' ')}",
        "contentType": CONTENT_TYPE,
        "headers": _headers({"ce_type": {"const": event_type}, "content-type": {"const": CONTENT_TYPE}}),
        "payload": {
            "type": "object",
            "required": ["entity", "changed"],
            "properties": {
                "entity": {"$ref": f"#/components/schemas/{topic.model.__name__}"},
                "changed": {"type": "array", "items": {"type": "string"}},
            },
        },
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": "0.5.0"}},
        "examples": [{"name": event_type, "headers": example["headers"], "payload": example["value"]}],
    }


def _tombstone() -> dict[str, Any]:
    return {
        "name": "tombstone",
        "title": "The entity is gone",
        "summary": "Has the headers of the deletion and no value; compaction then forgets the entity.",
        "headers": _headers({}),
        "payload": {"type": "null"},
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": "0.5.0"}},
    }


def _headers(exactly: dict[str, dict[str, Any]]) -> dict[str, Any]:
    properties = {name: schema for name, (_required, schema) in _HEADERS.items()} | exactly
    return {
        "type": "object",
        "required": [name for name, (required, _schema) in _HEADERS.items() if required]
        + [name for name in exactly if name not in _HEADERS],
        "properties": properties,
    }


def _schemas() -> dict[str, Any]:
    models = sorted({topic.model for topic in EVERY_TOPIC}, key=lambda model: model.__name__)
    _refs, schema = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    found: dict[str, Any] = schema["$defs"]
    return found
