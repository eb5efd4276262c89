"""The outbox table. Rows are never changed but for quarantine; the relay deletes them.

`letter_id` and `attempts`: as a dead letter, from the first quarantine on.
"""

import zlib
from collections.abc import Sequence

import orjson
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

from crm_kit.bus.port import Record
from crm_kit.db.session import WriteSession
from crm_kit.db.sql import Sql

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


APPEND = Sql(
    """
    insert into outbox (tenant_id, shard, topic, key, headers, payload)
    select :tenant_id, shard, topic, key, cast(headers as jsonb), payload
      from unnest(cast(:shards as smallint[]), cast(:topics as text[]), cast(:keys as text[]),
                  cast(:headers as text[]), cast(:payloads as bytea[]))
           with ordinality as given(shard, topic, key, headers, payload, place)
     order by place
    """
)


async def append(session: WriteSession, records: Sequence[Record]) -> None:
    """Writes records of the session's tenant, numbered in this order. Each one's entity must be locked by now."""
    if records:
        values = {
            "tenant_id": session.tenant_id,
            "shards": [shard_of(record.key) for record in records],
            "topics": [record.topic for record in records],
            "keys": [record.key for record in records],
            "headers": [orjson.dumps(dict(record.headers)).decode() for record in records],
            "payloads": [record.value for record in records],
        }
        await session.fetch(APPEND, values)


def shard_of(key: str) -> int:
    """The shard of an entity: all its events are relayed by one relay, in order."""
    return zlib.crc32(key.encode()) % SHARDS
