"""Every statement about moved references."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import ARRAY, Text, and_, any_, exists, literal, select

from crm_kit.db.models import EntityRow, columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql
from crm_kit.outbox import EntityEvents


@dataclass(frozen=True)
class Reference:
    """Entities that refer to what can be merged, by the column `member`.

    `once`: columns by which a record can be referred to once only; a reference that is there already is left where it is.
    `along`: what else goes with it, told after the change.
    """

    events: EntityEvents[Any, Any]
    member: str
    once: tuple[str, ...] = ()
    along: Callable[[WriteSession, Any], Awaitable[None]] | None = None


class Moved(NamedTuple):
    """An entity that referred to `home_id`, and refers to `placed_id` since."""

    entity_id: str
    home_id: str
    placed_id: str


_HOMES: Final = Sql(
    "with recursive home(id) as ("
    " select record_id from merged_record where merge_id = :merge_id"
    " union select m.record_id from home join merged_record m on m.into_id = home.id and m.active"
    ") select id from home order by id"
)
_MISPLACED: Final = Sql(
    "select m.entity_id, m.home_id, m.placed_id from moved_reference m"
    " join unnest(cast(:homes as text[]), cast(:targets as text[])) as t(home_id, target) on t.home_id = m.home_id"
    " where m.placed_id <> t.target order by m.entity_id limit :limit"
)
_NOTE: Final = Sql(
    "insert into moved_reference (tenant_id, entity_id, home_id, placed_id)"
    " select current_setting('app.tenant_id'), t.entity_id, t.home_id, t.placed_id"
    " from unnest(cast(:entities as text[]), cast(:homes as text[]), cast(:places as text[]))"
    " as t(entity_id, home_id, placed_id)"
    " on conflict (tenant_id, entity_id) do update set home_id = excluded.home_id, placed_id = excluded.placed_id"
)
_FORGET: Final = Sql("delete from moved_reference where entity_id = any(cast(:entities as text[]))")
_MANIFEST: Final = Sql(
    "select entity_id, home_id, placed_id from moved_reference where home_id = any(cast(:homes as text[]))"
    " and (cast(:before as text) is null or entity_id < :before) order by entity_id desc limit :limit"
)


async def homes_of(session: ReadSession, merge_id: str) -> list[str]:
    """The records that a merge took in, and those that had been merged into these."""
    return [row["id"] for row in await session.fetch(_HOMES, {"merge_id": merge_id})]


async def misplaced(session: ReadSession, targets: Mapping[str, str], limit: int) -> list[Moved]:
    """References that were moved before and do not stand where they belong."""
    asked = {"homes": list(targets), "targets": list(targets.values()), "limit": limit}
    return [Moved(*row.values()) for row in await session.fetch(_MISPLACED, asked)]


async def manifest(session: ReadSession, merge_id: str, before: str | None, limit: int) -> list[Moved]:
    """What refers to another record because of a merge, by id, the last first."""
    homes = await homes_of(session, merge_id)
    rows = await session.fetch(_MANIFEST, {"homes": homes, "before": before, "limit": limit})
    return [Moved(*row.values()) for row in rows]


async def note(session: WriteSession, moved: Sequence[Moved]) -> None:
    if moved:
        entities, homes, places = zip(*moved, strict=True)
        await session.fetch(_NOTE, {"entities": list(entities), "homes": list(homes), "places": list(places)})


async def forget(session: WriteSession, entity_ids: Sequence[str]) -> None:
    if entity_ids:
        await session.fetch(_FORGET, {"entities": list(entity_ids)})


async def locked(session: WriteSession, row: type[EntityRow], ids: Sequence[str]) -> Mapping[str, Any]:
    """Those that are there, locked in one order."""
    if not ids:
        return {}
    c = columns(row)
    statement = select(row).where(c.id == any_(literal(list(ids), ARRAY(Text())))).order_by(c.id).with_for_update()
    rows = await session.scalars(statement.execution_options(populate_existing=True))
    return {each.id: each for each in rows}


async def referring(session: WriteSession, reference: Reference, home: str, target: str, limit: int) -> Sequence[Any]:
    """Rows that refer to `home`, locked; without those of which `target` has one already."""
    c = columns(reference.events.row)
    statement = select(reference.events.row).where(c[reference.member] == home)
    if reference.once:
        other = reference.events.row.__table__.alias().c
        same = and_(other[reference.member] == target, *(other[name] == c[name] for name in reference.once))
        statement = statement.where(~exists().where(same))
    statement = statement.order_by(c.id).limit(limit).with_for_update()
    return (await session.scalars(statement.execution_options(populate_existing=True))).all()


async def is_taken(session: ReadSession, reference: Reference, row: Any, target: str) -> bool:
    """Whether `target` has already what can be there once."""
    if not reference.once:
        return False
    c = columns(reference.events.row)
    same = and_(c[reference.member] == target, *(c[name] == getattr(row, name) for name in reference.once))
    return await session.scalar(select(c.id).where(same).limit(1)) is not None
