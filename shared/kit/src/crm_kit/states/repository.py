"""The statements that read states; every one is bounded."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from crm_contracts.ids import prefix_of
from sqlalchemy import ColumnElement, func, literal, or_, select, text

from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession
from crm_kit.outbox import EntityEvents, shard_of
from crm_kit.states.digest import digest_of
from crm_kit.states.schemas import MAX_IDS, EntityState, StatePage, States

Publishes = Mapping[str, EntityEvents[Any, Any]]
"""How each type of entity is published, by its name, which its ids begin with."""

_BACKLOG: Final = 5000
_UNPUBLISHED = text("select key from outbox where shard = any(cast(:shards as smallint[])) order by shard, id limit :n")


async def by_ids(session: ReadSession, publishes: Publishes, ids: Sequence[str]) -> States:
    """Of the entities that there are. Outbox rows are looked for last: who has none by then is published as it was read."""
    found: list[EntityState] = []
    for kind, wanted in _by_type(ids).items():
        if kind in publishes:
            found += await _rows(session, publishes[kind], columns(publishes[kind].row).id.in_(wanted), "")
    shards = sorted({shard_of(entity_id) for entity_id in ids})
    keys = (await session.scalars(_UNPUBLISHED, {"shards": shards, "n": _BACKLOG})).all()
    waiting = set(keys) if len(keys) < _BACKLOG else set(ids)
    return States(data=found, unpublished=sorted(waiting.intersection(ids)))


async def owned(session: ReadSession, publishes: Publishes, owners: Sequence[str], after: str) -> StatePage:
    """A page of the entities that are one of `owners` or refer to one."""
    by_type = _by_type(owners)
    found: list[EntityState] = []
    for kind, events in publishes.items():
        c = columns(events.row)
        belongs: list[ColumnElement[bool]] = [
            c[name].in_(ids)
            for owner_kind, ids in by_type.items()
            for name in ("id" if owner_kind == kind else f"{owner_kind}_id",)
            if name in c
        ]
        if belongs:
            found += await _rows(session, events, or_(*belongs), after)
    found.sort(key=lambda state: state.id)
    return StatePage(data=found[:MAX_IDS], more=len(found) > MAX_IDS)


def _by_type(ids: Iterable[str]) -> dict[str, list[str]]:
    by_type: dict[str, list[str]] = {}
    for entity_id in ids:
        by_type.setdefault(prefix_of(entity_id) or "", []).append(entity_id)
    return by_type


async def _rows(
    session: ReadSession, events: EntityEvents[Any, Any], which: ColumnElement[bool], after: str
) -> list[EntityState]:
    """One more than a page."""
    c = columns(events.row)
    # Fenced: by the bound alone the planner would rather walk the tenant's primary key until it has found enough.
    those = select(c.id).where(which, c.id > after).offset(literal(0)).subquery()
    first = select(those.c.id).order_by(those.c.id).limit(MAX_IDS + 1)
    rows = await session.scalars(select(events.row).where(c.id.in_(first)))
    return [
        EntityState(id=row.id, version=row.version, digest=digest_of(events.snapshot(row).model_dump(mode="json")))
        for row in rows
    ]


async def ids_of(
    session: ReadSession, events: EntityEvents[Any, Any], *, after: str, limit: int, at_random: bool
) -> list[str]:
    c = columns(events.row)
    order = func.random() if at_random else c.id
    return list((await session.scalars(select(c.id).where(c.id > after).order_by(order).limit(limit))).all())
