"""Every statement on dead letters as such: parked events and quarantined outbox rows, seen as one list."""

import base64
from typing import Any

from crm_contracts.ids import DeadLetterId, prefix_of
from sqlalchemy import Select, String, cast, delete, func, literal, null, select, union_all, update

from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.dead_letters.schemas import DeadLetter, DeadLetterContent, LetterQuery
from crm_kit.inbox.tables import PARKED_EVENT
from crm_kit.outbox.table import OUTBOX

_p = PARKED_EVENT.c
_o = OUTBOX.c

_LETTERS = union_all(
    select(
        _p.id, _p.version, literal("consumer").label("stage"), _p.kind, _p.consumer, _p.topic, _p.key, _p.headers,
        _p.payload, _p.error, _p.attempts, _p.parked_at.label("created_at"), _p.tried_at,
    ),
    select(
        _o.letter_id, _o.attempts, literal("outbox"), literal("unpublishable"), cast(null(), String), _o.topic, _o.key,
        _o.headers, _o.payload, _o.error, _o.attempts, _o.created_at, _o.quarantined_at,
    ).where(_o.quarantined_at.is_not(None)),
).subquery("letter")  # fmt: skip
_l = _LETTERS.c
_WITHOUT_PAYLOAD = [column for column in _l if column.name != "payload"]

Row = Any
"""A row of _LETTERS."""


async def page(session: ReadSession, service: str, query: LetterQuery) -> list[DeadLetter]:
    """Newest first: ids are made in the order of time, in all services alike."""
    statement: Select[Any] = select(*_WITHOUT_PAYLOAD).order_by(_l.id.desc()).limit(query.limit)
    if query.before is not None:
        statement = statement.where(_l.id < query.before)
    for name in ("stage", "consumer", "topic", "kind", "key"):
        if (wanted := getattr(query, name)) is not None:
            statement = statement.where(_l[name] == wanted)
    return [DeadLetter(**_members(row, service)) for row in await session.execute(statement)]


async def find(session: ReadSession, letter_id: str) -> Row | None:
    """None too for what is no id."""
    if prefix_of(letter_id) != DeadLetterId.prefix:
        return None
    return (await session.execute(select(_LETTERS).where(_l.id == letter_id))).one_or_none()


def content(row: Row, service: str) -> DeadLetterContent:
    payload, encoding = _readable(row.payload)
    members = _members(row, service)
    return DeadLetterContent(**members, headers=row.headers, payload=payload, payload_encoding=encoding)


def _members(row: Row, service: str) -> dict[str, Any]:
    headers = row.headers
    return {
        "id": row.id,
        "version": row.version,
        "created_at": row.created_at,
        "updated_at": row.tried_at or row.created_at,
        "service": service,
        "stage": row.stage,
        "kind": row.kind,
        "consumer": row.consumer,
        "topic": row.topic,
        "key": row.key,
        "event_id": headers.get("ce_id"),
        "event_type": headers.get("ce_type"),
        "subject": headers.get("ce_subject"),
        "traceparent": headers.get("ce_traceparent"),
        "error": row.error,
        "attempts": row.attempts,
        "tried_at": row.tried_at,
    }


def _readable(payload: bytes | None) -> tuple[str | None, str | None]:
    if payload is None:
        return None, None
    try:
        return payload.decode(), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(payload).decode(), "base64"


async def release(session: WriteSession, letter_id: str) -> None:
    """Gives a quarantined row back to the relay."""
    await session.execute(update(OUTBOX).where(_o.letter_id == letter_id).values(quarantined_at=None))


async def discard_unpublished(session: WriteSession, letter_id: str) -> None:
    await session.execute(delete(OUTBOX).where(_o.letter_id == letter_id, _o.quarantined_at.is_not(None)))


def _of_key(session: ReadSession, consumer: str, topic: str, key: str) -> Any:
    return (_p.tenant_id == session.tenant_id) & (_p.consumer == consumer) & (_p.topic == topic) & (_p.key == key)


async def parked_of_key(session: ReadSession, consumer: str, topic: str, key: str, limit: int) -> list[Row]:
    """In the order of the log: one key's events lie in one partition."""
    statement = select(PARKED_EVENT).where(_of_key(session, consumer, topic, key))
    return list(await session.execute(statement.order_by(_p.partition, _p.offset).limit(limit)))


async def parked(session: ReadSession, letter_id: str) -> Row:
    return (await session.execute(select(PARKED_EVENT).where(_p.id == letter_id))).one()


async def count_of_key(session: ReadSession, consumer: str, topic: str, key: str) -> int:
    count = select(func.count()).select_from(PARKED_EVENT).where(_of_key(session, consumer, topic, key))
    return int(await session.scalar(count))


async def note_failure(session: WriteSession, letter_id: DeadLetterId, kind: str, error: str) -> None:
    await session.execute(
        update(PARKED_EVENT)
        .where(_p.id == letter_id)
        .values(kind=kind, error=error, attempts=_p.attempts + 1, version=_p.version + 1, tried_at=func.now())
    )


async def remove_parked(session: WriteSession, letter_id: str) -> None:
    await session.execute(delete(PARKED_EVENT).where(_p.id == letter_id))
