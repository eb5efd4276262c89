"""Where consumers stand, and the events that they could not apply."""

from typing import Literal

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

_METADATA = MetaData()

CONSUMER_POSITION = Table(
    "consumer_position",
    _METADATA,
    Column("consumer", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
)

PARKED_EVENT = Table(
    "parked_event",
    _METADATA,
    Column("id", Text(collation="C"), primary_key=True),
    Column("tenant_id", Text(collation="C"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("consumer", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("key", Text(collation="C"), nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("payload", LargeBinary),
    Column("kind", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("parked_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("tried_at", DateTime(timezone=True)),
    UniqueConstraint("consumer", "topic", "partition", "offset", name="parked_event_once"),
    Index("parked_event_key", "tenant_id", "consumer", "topic", "key"),
    Index("parked_event_newest", "tenant_id", "id"),
)

Kind = Literal["failed", "waiting", "unsupported", "malformed"]
"""Why an event is parked: its handler failed; an earlier one of its key is parked; its type or major version is unknown
to this release; it is no event at all."""

NO_TENANT = "-"
"""The tenant under which a record is parked that names none."""
