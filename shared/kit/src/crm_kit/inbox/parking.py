"""Parked events as their consumer sees them: which keys have some, and another one behind them.

Who replays or discards works on the same keys at the same time. Both sides take the key's lock, the consumer only where
it has found a letter. Otherwise a consumer that has seen a letter could park an event behind it while a replay deletes
it, and that event would wait behind nothing.
"""

import zlib
from collections.abc import Collection, Mapping
from typing import Final

from crm_contracts.ids import DeadLetterId
from sqlalchemy import and_, func, or_, select
from sqlalchemy.dialects.postgresql import insert

from crm_kit.bus.port import StoredRecord
from crm_kit.db.locks import lock_keys
from crm_kit.db.session import ReadSession, WriteSession, storable
from crm_kit.inbox.tables import PARKED_EVENT, Kind

Key = tuple[str, str]
"""A topic and a key."""

_LOCKS: Final = 64
"""Keys share so many locks: one each could be more than PostgreSQL's lock table holds."""

_c = PARKED_EVENT.c


def key_of(record: StoredRecord) -> Key:
    """As it is stored."""
    return record.topic, storable(record.key)


async def lock_letters(session: WriteSession, holder: str, keys: Collection[Key]) -> None:
    """Until the transaction ends nobody else changes this consumer's letters of these keys."""
    numbers = {zlib.crc32(f"{topic}\0{key}".encode()) % _LOCKS for topic, key in keys}
    await lock_keys(session, "dead_letter", (f"{holder}\0{number}" for number in numbers))


async def held_keys(session: WriteSession, consumer: str, keys: Collection[Key]) -> set[Key]:
    """Those of the keys that have letters; they keep them until the transaction ends."""
    found = await _with_letters(session, consumer, keys)
    if found:
        await lock_letters(session, consumer, found)
        # Once more: a replay that held the lock may have deleted the last of them. No key can have gained its
        # first: only this consumer parks, and whoever else is it waits for the positions that we have moved.
        found = await _with_letters(session, consumer, found)
    return found


async def _with_letters(session: ReadSession, consumer: str, keys: Collection[Key]) -> set[Key]:
    topics: dict[str, set[str]] = {}
    for topic, key in keys:
        topics.setdefault(topic, set()).add(key)
    rows = await session.execute(
        select(_c.topic, _c.key)
        .where(_c.tenant_id == session.tenant_id, _c.consumer == consumer)
        .where(or_(*(and_(_c.topic == topic, _c.key.in_(sorted(found))) for topic, found in topics.items())))
        .distinct()
    )
    return {(row.topic, row.key) for row in rows}


async def park(
    session: WriteSession, consumer: str, record: StoredRecord, *, kind: Kind, error: str, attempts: int
) -> DeadLetterId:
    """Keeps the record as a dead letter of the session's tenant."""
    letter_id = DeadLetterId.new()
    topic, key = key_of(record)
    headers: Mapping[str, str] = {storable(name): storable(text) for name, text in record.headers.items()}
    values = {
        "id": letter_id,
        "tenant_id": session.tenant_id,
        "version": 1,
        "consumer": consumer,
        "topic": topic,
        "partition": record.partition,
        "offset": record.offset,
        "key": key,
        "headers": headers,
        "payload": record.value,
        "kind": kind,
        "error": storable(error),
        "attempts": attempts,
        "tried_at": func.now() if attempts else None,
    }
    await session.execute(insert(PARKED_EVENT).values(values).on_conflict_do_nothing())
    return letter_id
