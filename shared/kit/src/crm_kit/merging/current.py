"""Which record an id stands for by now."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeVar

from crm_contracts.ids import prefix_of
from crm_contracts.types import Input

from crm_kit.db.locks import lock_keys, lock_number
from crm_kit.db.models import EntityRow
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql
from crm_kit.merging import repository

_SPACE: Final = "merged_record"
_CURRENT: Final = Sql("select id, current_id from current_records(:tenant, :lock, cast(:ids as text[]))")

IdT = TypeVar("IdT", bound=str)
InputT = TypeVar("InputT", bound=Input)


async def current(session: WriteSession, record_id: IdT) -> IdT:
    """What to write in place of a reference that a client gave: the record that it was merged into, if it was.

    Until the transaction ends nothing changes about it: so whatever is written by an old id is seen by the mover of references.
    """
    return (await current_all(session, [record_id]))[0]


async def current_all(session: WriteSession, record_ids: Sequence[IdT]) -> list[IdT]:
    """As `current`, of many in one round trip."""
    unknown = [each for each in record_ids if prefix_of(each) is not None and not session.knows(("current", each))]
    if unknown:
        asked = {"tenant": session.tenant_id, "lock": lock_number(session.tenant_id, _SPACE, ""), "ids": unknown}
        for row in await session.fetch(_CURRENT, asked):
            session.note(("current", row["id"]), row["current_id"])
    keys = [("current", each) for each in record_ids]
    return [
        type(each)(session.noted(key)) if session.knows(key) else each
        for each, key in zip(record_ids, keys, strict=True)
    ]


async def with_current(session: WriteSession, data: InputT, member: str, row: EntityRow | None = None) -> InputT:
    """What a client wrote, with `current` of its reference `member`; one that stays as the row has it is not asked for.

    One that changes is the client's from now on: no undoing gives it back.
    """
    given = getattr(data, member)
    if row is not None:
        if given == getattr(row, member):
            return data
        await repository.forget(session, [row.id])
    if given is None or (now := await current(session, given)) == given:
        return data
    return data.model_copy(update={member: now})


async def current_of(session: ReadSession, record_ids: Iterable[str]) -> Mapping[str, str]:
    """Of each id the record that it stands for at this moment."""
    asked = {"tenant": session.tenant_id, "lock": None, "ids": sorted(set(record_ids))}
    return {row["id"]: row["current_id"] for row in await session.fetch(_CURRENT, asked)}


async def merged_into(session: ReadSession, record_id: str) -> str | None:
    """Into which record this one was merged, at the end of all merges; None where it was not."""
    if prefix_of(record_id) is None:
        return None
    found = (await current_of(session, [record_id]))[record_id]
    return found if found != record_id else None


async def lock_merges(session: WriteSession) -> None:
    """For who tells of merges: waits until nobody writes by what was so before."""
    await lock_keys(session, _SPACE, [""])
