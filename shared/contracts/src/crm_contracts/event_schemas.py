"""The JSON Schema of what each event type carries, and one example of each. Pure; `schemas.py` writes them."""

from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, create_model

from crm_contracts.envelope import Event
from crm_contracts.registry import RESTATED, Topic
from crm_contracts.samples import sample
from crm_contracts.types import Entity

_BOOKKEEPING: Final = frozenset({"id", "version", "created_at", "updated_at"})
_TRACEPARENT: Final = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@cache
def data_model(entity: type[Entity]) -> type[BaseModel]:
    """What the value of an event of `entity` is: the whole state, and what changed of it."""
    return create_model(
        f"{entity.__name__}Event",
        __config__=ConfigDict(frozen=True),
        entity=(entity, Field(description="The whole state after the change")),
        changed=(list[str], Field(description="The members that the change touched; empty on a deletion")),
    )


def event_schema(topic: Topic, action: str) -> dict[str, Any]:
    """JSON Schema 2020-12 of an event's value, as a consumer may rely on it.

    It is the schema for reading, in which only those members are required that every event of this version has,
    however old: a member that came later has a default and is optional.
    """
    event_type = topic.event_type(action)
    schema = data_model(topic.model).model_json_schema(mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"/schemas/{event_type}.json",
        **schema,
        "title": event_type,
    }


def event_example(topic: Topic, action: str) -> dict[str, Any]:
    """A record of this type: its key, its headers, its value."""
    schema = event_schema(topic, action)
    entity = sample(schema["properties"]["entity"], schema["$defs"])
    event = Event(
        id="event_01jd3zq8w9e2vbx7k5m4n6p8qr",
        source=f"/relata/{topic.service}",
        type=topic.event_type(action),
        subject=entity["id"],
        time=datetime(2026, 10, 1, 8, tzinfo=UTC),
        tenant_id="tenant_01jd3zq8w9e2vbx7k5m4n6p8qr",
        sequence=entity["version"],
        entity=entity,
        traceparent=_TRACEPARENT,
        actor_id="key_01jd3zq8w9e2vbx7k5m4n6p8qr",
        data_schema=topic.data_schema(action),
    )
    members = sorted(set(entity) - _BOOKKEEPING)
    changed = {"deleted": [], RESTATED: [], topic.actions[0]: members}.get(action, members[:2])
    return {"key": event.subject, "headers": event.headers(), "value": {"entity": entity, "changed": changed}}
