"""The outbox table. Rows are never changed but for quarantine; the relay deletes them.

`letter_id` and `attempts`: as a dead letter, from the first quarantine on.
"""

import zlib
from collections.abc import Sequence
from functools import cache
from typing import Any

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

from crm_kit.audit.entries import Entry
from crm_kit.audit.entries import values as audited
from crm_kit.audit.writing import INSERT, record
from crm_kit.bus.port import Record
from crm_kit.db.models import EntityRow
from crm_kit.db.rows import insert_of, together
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


_APPEND = f"""
    {{before}} audited as ({INSERT})
    insert into outbox (tenant_id, shard, topic, key, headers, payload)
    select :tenant_id, shard, topic, key, cast(headers as jsonb), payload
      from unnest(cast(:shards as smallint[]), cast(:topics as text[]), cast(:keys as text[]),
                  cast(:headers as text[]), cast(:payloads as bytea[]))
           with ordinality as given(shard, topic, key, headers, payload, place)
     order by place
"""  # noqa: S608  # our own text

APPEND = Sql(_APPEND.format(before="with"))


async def append(session: WriteSession, records: Sequence[Record], entries: Sequence[Entry]) -> None:
    """Writes records of the session's tenant, numbered in this order, and what the audit log tells of them.

    In one round trip. Each record's entity must be locked by now.
    """
    if not records:
        await record(session, entries)
        return
    await session.fetch(APPEND, _values(session, records, entries))


async def insert_and_append(
    session: WriteSession,
    table: type[EntityRow],
    rows: Sequence[bytes],
    records: Sequence[Record],
    entries: Sequence[Entry],
) -> None:
    """As `append`, with the new rows (`crm_kit.db.rows.json_of`) that all this is about, in the same round trip."""
    if not records:
        await insert(session, table, rows)
        await record(session, entries)
    else:
        await session.fetch(_insert_first(table), {**_values(session, records, entries), "rows": together(rows)})


async def insert(session: WriteSession, table: type[EntityRow], rows: Sequence[bytes]) -> None:
    await session.fetch(_insert_only(table), {"rows": together(rows)})


def _values(session: WriteSession, records: Sequence[Record], entries: Sequence[Entry]) -> dict[str, Any]:
    return {
        **audited(session.tenant_id, entries),
        "shards": [shard_of(each.key) for each in records],
        "topics": [each.topic for each in records],
        "keys": [each.key for each in records],
        "headers": [orjson.dumps(dict(each.headers)).decode() for each in records],
        "payloads": [each.value for each in records],
    }


@cache
def _insert_first(table: type[EntityRow]) -> Sql:
    return Sql(_APPEND.format(before=f"with inserted as ({insert_of(table)}),"))


@cache
def _insert_only(table: type[EntityRow]) -> Sql:
    return Sql(insert_of(table))


def shard_of(key: str) -> int:
    """The shard of an entity: all its events are relayed by one relay, in order."""
    return zlib.crc32(key.encode()) % SHARDS
