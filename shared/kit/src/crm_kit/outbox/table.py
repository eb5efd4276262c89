"""The outbox table. Rows are never changed but for quarantine; the relay deletes them.

`letter_id` and `attempts`: as a dead letter, from the first quarantine on.
"""

import zlib

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

SHARDS = 16

OUTBOX = Table(
    "outbox",
    MetaData(),
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("tenant_id", Text(collation="C"), nullable=False),
    Column("shard", SmallInteger, nullable=False),
    Column("topic", Text, nullable=False),
    Column("key", Text(collation="C"), nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("payload", LargeBinary),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("quarantined_at", DateTime(timezone=True)),
    Column("letter_id", Text(collation="C")),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("error", Text),
    Index("outbox_shard", "shard", "id"),
    Index("outbox_quarantined", "key", postgresql_where=text("quarantined_at is not null")),
)


def shard_of(key: str) -> int:
    """The shard of an entity: all its events are relayed by one relay, in order."""
    return zlib.crc32(key.encode()) % SHARDS
