"""Every statement about relationships beyond those that all resources have."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from crm_kit.db.holders import holders_of
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql
from sqlalchemy import ARRAY, Select, any_, literal, select
from sqlalchemy import Text as SqlText

from contacts_svc.features.relating.models import RelationshipAsideRow, RelationshipRow

_c, _aside = columns(RelationshipRow), columns(RelationshipAsideRow)

_ID: Final = "select id, created_at from relationship"
_BETWEEN: Final = Sql(
    f"{_ID} where contact_id = any(cast(:ends as text[]))"
    " and (account_id = any(cast(:ends as text[])) or related_contact_id = any(cast(:ends as text[])))"
)
# Each side by an index of its own: all of an account's could be many.
_NEWEST: Final = Sql(
    f"select id from (({_ID} where contact_id = :end order by created_at desc, id desc limit :limit)"  # noqa: S608  # a constant of this module
    f" union all ({_ID} where related_contact_id = :end order by created_at desc, id desc limit :limit)"
    f" union all ({_ID} where account_id = :end order by created_at desc, id desc limit :limit)"
    ") as found order by created_at desc, id desc limit :limit"
)


async def lock_at(session: WriteSession, contact_ids: Collection[str]) -> Sequence[RelationshipRow]:
    """Those that have one of the contacts as an end, locked in one order."""
    ids = await _ids_at(session, _c.contact_ids, contact_ids)
    statement = select(RelationshipRow).where(_c.id.in_(ids)).order_by(_c.id).with_for_update()
    return (await session.scalars(statement.execution_options(populate_existing=True))).all()


async def lock_aside(session: WriteSession, end_ids: Collection[str]) -> Sequence[RelationshipAsideRow]:
    """Those that would have one of these as an end, and are not there while a merge stands; locked in one order."""
    statement = _kept(await _ids_at(session, _aside.end_ids, end_ids)).with_for_update()
    return (await session.scalars(statement.execution_options(populate_existing=True))).all()


async def aside_of(session: ReadSession, end_ids: Collection[str]) -> Sequence[RelationshipAsideRow]:
    """As `lock_aside`, for reading."""
    return (await session.scalars(_kept(await _ids_at(session, _aside.end_ids, end_ids)))).all()


async def _ids_at(session: ReadSession, column: Any, ends: Collection[str]) -> set[str]:
    held = await holders_of(session, column, sorted(ends))
    return {id_ for each in held.values() for id_ in each}


def _kept(ids: Collection[str]) -> Select[Any]:
    return select(RelationshipAsideRow).where(_aside.id.in_(ids)).order_by(_aside.id)


async def lock_of_account(session: WriteSession, account_id: str, limit: int) -> Sequence[RelationshipRow]:
    """Some of an account's, locked in one order: that of its index."""
    statement = select(RelationshipRow).where(_c.account_id == account_id).order_by(_c.created_at, _c.id).limit(limit)
    return (await session.scalars(statement.with_for_update().execution_options(populate_existing=True))).all()


async def between(session: ReadSession, *ends: str) -> Sequence[RelationshipRow]:
    """Whatever is said of these two."""
    return await _in_order(session, await session.fetch(_BETWEEN, {"ends": list(ends)}))


async def count_of(session: ReadSession, contact_id: str, limit: int) -> int:
    """How many a contact has, from either side; counted up to the limit."""
    return len(await session.fetch(_NEWEST, {"end": contact_id, "limit": limit}))


async def newest_of(session: ReadSession, end_id: str, limit: int) -> Sequence[RelationshipRow]:
    """Of a contact, from either side, or of an account; by (`created_at`, `id`)."""
    return await _in_order(session, await session.fetch(_NEWEST, {"end": end_id, "limit": limit}))


async def _in_order(session: ReadSession, found: Sequence[Any]) -> Sequence[RelationshipRow]:
    ids = [row["id"] for row in found]
    wanted = literal(ids, ARRAY(SqlText()))
    rows = {row.id: row for row in await session.scalars(select(RelationshipRow).where(_c.id == any_(wanted)))}
    return [rows[id_] for id_ in ids]
