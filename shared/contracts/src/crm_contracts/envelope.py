"""The event envelope: CloudEvents 1.0 in Kafka binary mode (CloudEvents Kafka protocol binding, §3.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import orjson

from crm_contracts.types import format_timestamp

SPEC_VERSION = "1.0"
CONTENT_TYPE = "application/json"
ERASED = "ce_erased"
_REQUIRED = (
    "ce_specversion",
    "ce_id",
    "ce_source",
    "ce_type",
    "ce_subject",
    "ce_time",
    "ce_tenantid",
    "ce_sequence",
)


class MalformedEvent(ValueError):
    """A record that is not one of our events: a header is missing or the data is not what it should be."""


@dataclass(frozen=True, slots=True)
class Event:
    """A fact: the whole state of one entity after one change.

    `sequence` is the entity's version. `entity` is None on a tombstone: it is gone. `data_schema` names the minor
    version by which it was written; nothing is decided by it. `erased`: what was told of the
    subject before is to be forgotten by whoever keeps it. `correlation_id`, `causation_id`: as in the CloudEvents extension
    "correlation"; `hops`: how often the chain of changes has left Relata and come back.
    """

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    tenant_id: str
    sequence: int
    entity: Mapping[str, Any] | None
    changed: tuple[str, ...] = ()
    traceparent: str | None = None
    actor_id: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    hops: int = 0
    data_schema: str | None = None
    erased: bool = False

    @property
    def entity_type(self) -> str:
        """`contact` in `crm.contacts.contact.updated.v1`."""
        return self.type.split(".")[2]

    @property
    def action(self) -> str:
        """`updated` in `crm.contacts.contact.updated.v1`."""
        return self.type.split(".")[3]

    @property
    def topic(self) -> str:
        """`crm.contacts.contact` in `crm.contacts.contact.updated.v1`."""
        return self.type.rsplit(".", 2)[0]

    @property
    def service(self) -> str:
        """`contacts` in `crm.contacts.contact.updated.v1`."""
        return self.type.split(".")[1]

    @property
    def deleted(self) -> bool:
        return self.entity is None or self.action == "deleted"

    def headers(self) -> dict[str, str]:
        headers = {
            "ce_specversion": SPEC_VERSION,
            "ce_id": self.id,
            "ce_source": self.source,
            "ce_type": self.type,
            "ce_subject": self.subject,
            "ce_time": format_timestamp(self.time),
            "ce_tenantid": self.tenant_id,
            "ce_sequence": str(self.sequence),
            "ce_partitionkey": self.subject,
        }
        if self.traceparent is not None:
            headers["ce_traceparent"] = self.traceparent
        if self.actor_id is not None:
            headers["ce_actorid"] = self.actor_id
        if self.correlation_id is not None:
            headers["ce_correlationid"] = self.correlation_id
        if self.causation_id is not None:
            headers["ce_causationid"] = self.causation_id
        if self.hops:
            headers["ce_hops"] = str(self.hops)
        if self.data_schema is not None:
            headers["ce_dataschema"] = self.data_schema
        if self.erased:
            headers[ERASED] = "true"
        if self.entity is not None:
            headers["content-type"] = CONTENT_TYPE
        return headers

    def value(self) -> bytes | None:
        """The record's value; None for a tombstone."""
        if self.entity is None:
            return None
        return orjson.dumps({"entity": self.entity, "changed": list(self.changed)})

    @classmethod
    def parse(cls, headers: Mapping[str, str], value: bytes | None) -> Self:
        """Raises MalformedEvent."""
        missing = [name for name in _REQUIRED if not headers.get(name)]
        if missing:
            raise MalformedEvent(f"missing headers: {', '.join(missing)}")
        if headers["ce_specversion"] != SPEC_VERSION or headers["ce_type"].count(".") != 4:
            raise MalformedEvent(f"not an event of ours: {headers['ce_specversion']} {headers['ce_type']}")
        try:
            data = orjson.loads(value) if value is not None else None
            time = datetime.fromisoformat(headers["ce_time"])
            sequence = int(headers["ce_sequence"])
            hops = int(headers.get("ce_hops", "0"))
        except ValueError as error:
            raise MalformedEvent(str(error)) from error
        if time.tzinfo is None or sequence < 1:
            raise MalformedEvent("ce_time without an offset, or ce_sequence below 1")
        if data is not None and not (isinstance(data, dict) and isinstance(data.get("entity"), dict)):
            raise MalformedEvent("the data holds no entity")
        return cls(
            id=headers["ce_id"],
            source=headers["ce_source"],
            type=headers["ce_type"],
            subject=headers["ce_subject"],
            time=time,
            tenant_id=headers["ce_tenantid"],
            sequence=sequence,
            entity=data["entity"] if data is not None else None,
            changed=tuple(data.get("changed") or ()) if data is not None else (),
            traceparent=headers.get("ce_traceparent"),
            actor_id=headers.get("ce_actorid"),
            correlation_id=headers.get("ce_correlationid"),
            causation_id=headers.get("ce_causationid"),
            hops=hops,
            data_schema=headers.get("ce_dataschema"),
            erased=ERASED in headers,
        )
