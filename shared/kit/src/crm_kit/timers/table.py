"""The timer table. One timer per (tenant, kind, key); setting it again moves it."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

TIMER = Table(
    "timer",
    MetaData(),
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("tenant_id", Text(collation="C"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("key", Text(collation="C"), nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("error", Text),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("tenant_id", "kind", "key", name="timer_once"),
    Index("timer_due", "kind", "due_at"),
)
