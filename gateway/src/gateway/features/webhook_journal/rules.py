"""From an event to what is told of it. Pure."""

from typing import Any, Final

import orjson
from crm_contracts.envelope import CONTENT_TYPE, SPEC_VERSION, Event
from crm_contracts.types import format_timestamp

_CUSTOMERS: Final = ("contact", "account")


def cloud_event(event: Event) -> dict[str, Any]:
    """The CloudEvent in JSON (CloudEvents 1.0.2, JSON format). Of somebody erased nothing but that is told."""
    document = {
        "specversion": SPEC_VERSION,
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": format_timestamp(event.time),
        "datacontenttype": CONTENT_TYPE,
        "dataschema": event.data_schema,
        "tenantid": event.tenant_id,
        "sequence": str(event.sequence),
        "partitionkey": event.subject,
        "traceparent": event.traceparent,
        "actorid": event.actor_id,
        "correlationid": event.correlation_id,
        "causationid": event.causation_id,
        "hops": event.hops,
        "data": {"entity": event.entity, "changed": list(event.changed)}
        | ({"erased": True} if event.entity is None else {}),
    }
    return {name: value for name, value in document.items() if value is not None}


def body_of(document: dict[str, Any]) -> bytes:
    """As it is sent, byte for byte."""
    return orjson.dumps(document)


def trace_of(body: bytes) -> str | None:
    """The place of the change that a CloudEvent tells of, where it names one."""
    found = orjson.loads(body).get("traceparent")
    return found if isinstance(found, str) else None


def customer_of(event: Event, kind: str) -> str | None:
    """Of which contact or account (`kind`) an event tells."""
    if event.entity_type == kind:
        return event.subject
    found = (event.entity or {}).get(f"{kind}_id")
    return found if isinstance(found, str) else None
