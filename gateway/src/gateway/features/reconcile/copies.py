"""The gateway's copies as a reconciliation reads and moves them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from crm_contracts.envelope import Event
from crm_contracts.ids import EventId, prefix_of
from crm_kit.db.models import utc_now
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.states import digest_of
from sqlalchemy import text

from gateway.features.customers.consumers import VIEW
from gateway.features.customers.entities import EntityState, entity_state, moment
from gateway.features.customers.projection import project
from gateway.features.customers.repository import ENTITY_COLUMNS
from gateway.features.customers.timeline import entries_of
from gateway.features.reconcile.drift import Copy
from gateway.upstream import SERVICE_OF

_MAX_OWNED: Final = 1000

_COPIES = text(
    f"""
    select {", ".join(ENTITY_COLUMNS)}, cast(data as text) as data from entity where id = any(cast(:ids as text[]))
    """  # noqa: S608  # constants
)
_ENTRIES = text(
    """
    select entity_id, n, entry_id, contact_id, account_id, at, kind, source, cast(entry as text) as entry
      from timeline_entry where entity_id = any(cast(:ids as text[])) order by entity_id, n
    """
)
_OWNED = text(
    """
    select id from (
        select e.id from unnest(cast(:owners as text[])) as o(id)
         cross join lateral (select id, service from entity where contact_id = o.id and not deleted offset 0) e
         where e.service = :service
        union
        select e.id from unnest(cast(:owners as text[])) as o(id)
         cross join lateral (select id, service from entity where account_id = o.id and not deleted offset 0) e
         where e.service = :service) as found
     where id > :after and (cast(:upto as text) is null or id <= :upto)
     order by id limit :limit
    """
)
_PARKED = text("select key from parked_event where consumer = :consumer and key = any(cast(:ids as text[]))")
_LOCK = text(
    "select id, type, service, version, deleted from entity where id = any(cast(:ids as text[])) order by id for update"
)
_LOWER = text(
    """
    update entity e set version = g.version
      from unnest(cast(:ids as text[]), cast(:versions as bigint[])) as g(id, version) where e.id = g.id
    """
)


async def by_ids(session: ReadSession, ids: Sequence[str]) -> dict[str, Copy]:
    """Deleted ones too."""
    rows = (await session.execute(_COPIES, {"ids": list(ids)})).all()
    entries: dict[str, list[Any]] = {}
    for entry in await session.execute(_ENTRIES, {"ids": list(ids)}):
        entries.setdefault(entry.entity_id, []).append(entry)
    return {row.id: _copy(row, entries.get(row.id, [])) for row in rows}


async def owned(session: ReadSession, service: str, owners: Sequence[str], after: str, upto: str | None) -> list[str]:
    """Ids of a service's entities that belong to these contacts and accounts, behind `after`; the first thousand."""
    values = {"service": service, "owners": list(owners), "after": after, "upto": upto, "limit": _MAX_OWNED}
    return list(await session.scalars(_OWNED, values))


async def parked(session: ReadSession, ids: Sequence[str]) -> set[str]:
    """Those with dead letters: what the copy lacks waits there, and would be parked again."""
    return set(await session.scalars(_PARKED, {"consumer": VIEW.name, "ids": list(ids)}))


async def lower(session: WriteSession, copies: Mapping[str, Copy], versions: Mapping[str, int]) -> None:
    """Makes these copies accept an event of that version, unless they have changed since they were read."""
    found = {row.id: row for row in await session.execute(_LOCK, {"ids": sorted(versions)})}
    same = [
        one
        for one in sorted(found)
        if (found[one].version, found[one].deleted) == (copies[one].version, copies[one].deleted)
    ]
    await session.execute(_LOWER, {"ids": same, "versions": [versions[one] - 1 for one in same]})


async def remove(session: WriteSession, ghost: Copy) -> None:
    """Marks the copy as deleted, as its deletion's event would have, unless it has changed since it was read."""
    row = (await session.execute(_LOCK, {"ids": [ghost.id]})).one_or_none()
    if row is None or (row.version, row.deleted) != (ghost.version, ghost.deleted):
        return
    if row.deleted:  # a deletion that left something behind: it is done once more
        await session.execute(_LOWER, {"ids": [ghost.id], "versions": [row.version - 1]})
    deletion = Event(
        id=EventId.new(),
        source="/relata/gateway",
        type=f"crm.{row.service}.{row.type}.deleted.v1",
        subject=row.id,
        time=utc_now(),
        tenant_id=session.tenant_id,
        sequence=row.version,
        entity=None,
    )
    await project(session, [deletion])


def _copy(row: Any, entries: Sequence[Any]) -> Copy:
    data = orjson.loads(row.data) if row.data is not None else None
    digest = digest_of(data) if isinstance(data, dict) else ""
    return Copy(row.id, row.version, row.deleted, digest, _is_intact(row, data, entries))


def _is_intact(row: Any, data: Any, entries: Sequence[Any]) -> bool:
    """Whether the row and its timeline entries are what an event with this data makes."""
    if row.deleted:
        return data is None and not entries
    kind = prefix_of(row.id) or ""
    try:
        event = Event(
            id="", source="", type=f"crm.{SERVICE_OF[kind]}.{kind}.updated.v1", subject=row.id,
            time=moment(data["updated_at"]), tenant_id="", sequence=row.version, entity=data,
        )  # fmt: skip
        state = entity_state(event)
        wanted = _entry_rows(state)
    except (KeyError, TypeError, ValueError, IndexError):
        return False
    found = [(*entry[1:-1], orjson.loads(entry.entry)) for entry in entries]
    return found == wanted and all(getattr(state, name) == getattr(row, name) for name in ENTITY_COLUMNS)


def _entry_rows(state: EntityState) -> list[tuple[Any, ...]]:
    assert state.data is not None, "not of a deleted one"
    return [
        (n, entry.id, state.contact_id, state.entries_account_id, entry.moment, entry.kind, entry.source, entry.json())
        for n, entry in enumerate(entries_of(state.type, state.data))
    ]
