"""Every statement about a service's part of privacy requests."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson
from sqlalchemy import select

from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql
from crm_kit.privacy.holdings import Holding

_BEGIN: Final = Sql(
    "insert into privacy_task (tenant_id, request_id, kind, subject_ids)"
    " values (:tenant, :request_id, :kind, cast(:subject_ids as text[])) on conflict do nothing returning request_id"
)
_LOCK_OPEN: Final = Sql(
    "select * from privacy_task where kind = 'erasure' and not done order by holding, request_id"
    " limit cast(:most as integer) for update skip locked"
)
_END: Final = Sql(
    "update privacy_task set done = true where request_id = any(cast(:ids as text[])) and not done and kind = 'export'"
)
_KIND: Final = Sql("select request_id, kind from privacy_task where request_id = any(cast(:ids as text[]))")
_IS_ERASED: Final = Sql(
    "select exists (select from privacy_task"
    " where kind = 'erasure' and subject_ids @> array[cast(:id as text) collate \"C\"]) as erased"
)
_LOCK: Final = Sql("select * from privacy_task where request_id = :request_id for update")
_SAVE_ALL: Final = Sql(
    "update privacy_task t set holding = told.holding, pieces = told.pieces, records = told.records::jsonb, done = told.done"
    " from unnest(cast(:ids as text[]), cast(:holdings as integer[]), cast(:pieces as integer[]), cast(:records as text[]),"
    " cast(:done as boolean[])) as told(id, holding, pieces, records, done) where t.request_id = told.id"
)
_SAVE: Final = Sql(
    "update privacy_task set holding = cast(:holding as integer), after = :after, pieces = cast(:pieces as integer),"
    " records = cast(:records as text)::jsonb, done = :done where request_id = :request_id"
)
_NOTE_KEYS: Final = Sql(
    "insert into forgotten_key (tenant_id, request_id, topic, key)"
    " select :tenant, :request_id, :topic, key from unnest(cast(:keys as text[])) as key on conflict do nothing"
)
_KEYS: Final = Sql(
    "select key from forgotten_key where request_id = any(cast(:requests as text[])) and topic = :topic"
    " order by request_id, key"
)
_DROP_KEYS: Final = Sql(
    "delete from forgotten_key where request_id = any(cast(:requests as text[])) and (topic = :topic) = :its"
)
_UNRELAYED: Final = Sql(
    "select distinct f.request_id from forgotten_key f join outbox o on o.topic = f.topic and o.key = f.key"
    " where f.request_id = any(cast(:requests as text[])) and f.topic <> :topic"
)
_PARKED: Final = Sql(
    "delete from parked_event p where p.key = any(cast(:ids as text[])) or exists ("
    " select from forgotten_key f"
    " where f.request_id = any(cast(:requests as text[])) and f.topic = p.topic and f.key = p.key)"
)
_ANSWERS: Final = Sql(
    "update idempotency set status = 410, headers = cast(:headers as text)::jsonb, body = :body"
    " where tenant_id = :tenant and body <> :body"
    " and exists (select from unnest(cast(:ids as text[])) as id where position(convert_to(id, 'UTF8') in body) > 0)"
)


async def begin(session: WriteSession, request_id: str, kind: str, subject_ids: Sequence[str]) -> bool:
    """False where it has been begun before."""
    given = {"tenant": session.tenant_id, "request_id": request_id, "kind": kind, "subject_ids": list(subject_ids)}
    return bool(await session.fetch(_BEGIN, given))


async def lock_open(session: WriteSession, most: int) -> list[dict[str, Any]]:
    """Erasures that are not done, those first that had to wait least; without those that another process has."""
    return [dict(row) for row in await session.fetch(_LOCK_OPEN, {"most": most})]


async def end_exports(session: WriteSession, request_ids: Sequence[str]) -> None:
    """Nothing more is gathered for them."""
    await session.fetch(_END, {"ids": list(request_ids)})


async def kinds_of(session: ReadSession, request_ids: Sequence[str]) -> Mapping[str, str]:
    return {row["request_id"]: row["kind"] for row in await session.fetch(_KIND, {"ids": list(request_ids)})}


async def is_erased(session: ReadSession, subject_id: str) -> bool:
    """Whether somebody was erased who had this id: it is random, and tells nothing of them."""
    return bool((await session.fetch(_IS_ERASED, {"id": subject_id}))[0]["erased"])


async def lock(session: WriteSession, request_id: str) -> dict[str, Any] | None:
    rows = await session.fetch(_LOCK, {"request_id": request_id})
    return dict(rows[0]) if rows else None


async def save(session: WriteSession, task: Mapping[str, Any]) -> None:
    names = ("request_id", "holding", "after", "pieces", "done")
    told = orjson.dumps(task["records"]).decode()
    await session.fetch(_SAVE, {**{name: task[name] for name in names}, "records": told})


async def save_all(session: WriteSession, tasks: Sequence[Mapping[str, Any]]) -> None:
    """As `save`, of erasures."""
    await session.fetch(
        _SAVE_ALL,
        {
            "ids": [task["request_id"] for task in tasks],
            "holdings": [task["holding"] for task in tasks],
            "pieces": [task["pieces"] for task in tasks],
            "records": [orjson.dumps(task["records"]).decode() for task in tasks],
            "done": [task["done"] for task in tasks],
        },
    )


async def note_keys(session: WriteSession, request_id: str, topic: str, keys: Iterable[str]) -> None:
    """What is published of these keys is to be forgotten."""
    if given := sorted(keys):
        asked = {"tenant": session.tenant_id, "request_id": request_id, "topic": topic, "keys": given}
        await session.fetch(_NOTE_KEYS, asked)


async def keys_of(session: ReadSession, request_ids: Sequence[str], topic: str) -> list[str]:
    asked = {"requests": list(request_ids), "topic": topic}
    return [row["key"] for row in await session.fetch(_KEYS, asked)]


async def drop_keys(session: WriteSession, request_ids: Sequence[str], topic: str, *, its: bool) -> None:
    """Those of the topic, or those of all others."""
    await session.fetch(_DROP_KEYS, {"requests": list(request_ids), "topic": topic, "its": its})


async def unrelayed(session: ReadSession, request_ids: Sequence[str], receipts: str) -> frozenset[str]:
    """Those of the requests of whose noted keys, but for the receipts', the log does not have everything yet."""
    rows = await session.fetch(_UNRELAYED, {"requests": list(request_ids), "topic": receipts})
    return frozenset(row["request_id"] for row in rows)


async def drop_parked(session: WriteSession, request_ids: Sequence[str], subject_ids: Sequence[str]) -> None:
    await session.fetch(_PARKED, {"requests": list(request_ids), "ids": list(subject_ids)})


async def blank_answers(
    session: WriteSession, subject_ids: Sequence[str], headers: Mapping[str, str], body: bytes
) -> None:
    """Kept answers that tell of the persons tell from now on that these are erased: who repeats a request does nothing anew."""
    told = orjson.dumps(dict(headers)).decode()
    asked = {"tenant": session.tenant_id, "ids": list(subject_ids), "headers": told, "body": body}
    await session.fetch(_ANSWERS, asked)


async def page(
    session: WriteSession, holding: Holding, subject_ids: Sequence[str], after: str, limit: int, *, erasing: bool
) -> Sequence[Any]:
    """Rows of the persons, by id; locked, and only those that still tell something, where they are to go."""
    c = columns(holding.events.row)
    statement = select(holding.events.row).where(c[holding.member].in_(subject_ids), c.id > after)
    if erasing:
        statement = statement.with_for_update().execution_options(populate_existing=True)
        if holding.unstripped is not None:
            statement = statement.where(holding.unstripped)
    return (await session.scalars(statement.order_by(c.id).limit(limit))).all()
