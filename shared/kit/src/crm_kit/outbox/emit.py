"""The only way to publish: an entity's change and its event in one transaction."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Generic, TypeVar

import orjson
from crm_contracts.envelope import Event
from crm_contracts.ids import EventId
from crm_contracts.registry import RESTATED, Topic
from crm_contracts.types import Entity
from sqlalchemy import inspect, select
from sqlalchemy.orm.attributes import flag_modified

from crm_kit import context
from crm_kit.bus.port import MAX_RECORD_BYTES, Record, record_size
from crm_kit.db.models import EntityRow, columns, utc_now
from crm_kit.db.session import WriteSession
from crm_kit.errors import BodyTooLarge, Text
from crm_kit.outbox.table import append
from crm_kit.rights.shares import write_shares
from crm_kit.rights.tables import RECORD_SHARE

RowT = TypeVar("RowT", bound=EntityRow)
EntityT = TypeVar("EntityT", bound=Entity)

_BOOKKEEPING = frozenset({"version", "updated_at"})


class UnflushedEntity(RuntimeError):
    """An event was to be emitted before PostgreSQL had seen, and locked, the entity's row.

    The outbox number must be drawn under the row's lock: otherwise two writers may number their events in the
    wrong order. SQLAlchemy's own flush order does not promise that.
    """


def _changed(before: Entity, after: Entity) -> list[str]:
    """The members whose JSON differs. Python would call `true` and `1` equal, or `1.0` and `1.00`."""
    old, new = before.model_dump(mode="json"), after.model_dump(mode="json")
    return sorted(
        name
        for name in new
        if name not in _BOOKKEEPING
        and orjson.dumps(new[name], option=orjson.OPT_SORT_KEYS) != orjson.dumps(old[name], option=orjson.OPT_SORT_KEYS)
    )


def _write_as_spelled(row: EntityRow) -> None:
    """SQLAlchemy leaves a column out of its UPDATE where Python calls the old and the new value equal."""
    for name, old in list(inspect(row).committed_state.items()):
        if repr(old) != repr(getattr(row, name)):
            flag_modified(row, name)


async def _keep_shares(session: WriteSession, entities: Mapping[str, Entity], *, fresh: bool = False) -> None:
    """Writes with whom entities are shared where rights look for it; `fresh`: those that were just made."""
    shares = {entity_id: getattr(entity, "shares", ()) for entity_id, entity in entities.items()}
    given = {
        entity_id: [share.model_dump() for share in each] for entity_id, each in shares.items() if each or not fresh
    }
    await write_shares(session, RECORD_SHARE, given, fresh=fresh)


class EntityEvents(Generic[RowT, EntityT]):
    """Publishes the changes of one entity type. `snapshot` turns a row into what others may see of it."""

    def __init__(self, topic: Topic, row: type[RowT], snapshot: Callable[[RowT], EntityT]) -> None:
        self.topic = topic
        self.row = row
        self.snapshot = snapshot

    async def created(self, session: WriteSession, row: RowT, *, action: str = "created") -> EntityT:
        """Inserts `row` as version 1 and publishes it."""
        row.tenant_id = session.tenant_id
        row.version = 1
        session.add(row)
        await session.flush()
        entity = self.snapshot(row)
        await _keep_shares(session, {row.id: entity}, fresh=True)
        changed = sorted(set(entity.model_dump(exclude_none=True)) - _BOOKKEEPING)
        await self._emit(session, row, action, entity, changed)
        return entity

    async def created_all(self, session: WriteSession, rows: Sequence[RowT], *, action: str = "created") -> None:
        """As `created`, for many rows in two round trips. The caller bounds how many."""
        for row in rows:
            row.tenant_id = session.tenant_id
            row.version = 1
        session.add(*rows)
        await session.flush()
        await _keep_shares(session, {row.id: self.snapshot(row) for row in rows}, fresh=True)
        entries = []
        for row in rows:
            entity = self.snapshot(row)
            changed = sorted(set(entity.model_dump(exclude_none=True)) - _BOOKKEEPING)
            entries.append(self._entry(self._event(session, entity, row.version, action, changed), row.id))
        await append(session, entries)

    async def updated(self, session: WriteSession, row: RowT, before: EntityT, *, action: str = "updated") -> bool:
        """Publishes what changed since the snapshot `before`; False, and nothing published, where nothing did.

        The row must have been read for update in this transaction.
        """
        changed = _changed(before, self.snapshot(row))
        if not changed:
            return False
        _write_as_spelled(row)
        row.version = before.version + 1
        row.updated_at = utc_now()
        await session.flush()
        if "shares" in changed:
            await _keep_shares(session, {row.id: self.snapshot(row)})
        await self._emit(session, row, action, self.snapshot(row), changed)
        return True

    async def restated(self, session: WriteSession, entity_id: str) -> bool:
        """Publishes the entity as it is once more, under its version; False where there is none.

        Under the row's lock, so that no event of a newer version is numbered before this one.
        """
        of_id = select(self.row).where(columns(self.row).id == entity_id).with_for_update()
        row = await session.scalar(of_id.execution_options(populate_existing=True))
        if row is None:
            return False
        await self._emit(session, row, RESTATED, self.snapshot(row), [])
        return True

    async def deleted(self, session: WriteSession, row: RowT) -> None:
        """Deletes `row`; publishes its last state, then a tombstone by which compaction forgets it."""
        row.version += 1
        row.updated_at = utc_now()
        await session.flush()
        entity = self.snapshot(row)
        await session.delete(row)
        await session.flush()
        if getattr(entity, "shares", None):
            await write_shares(session, RECORD_SHARE, {row.id: []})
        last = self._event(session, entity, entity.version, "deleted", [])
        tombstone = self._event(session, None, entity.version, "deleted", [], subject=row.id)
        await append(session, [self._entry(last, row.id), self._entry(tombstone, row.id)])

    async def _emit(self, session: WriteSession, row: RowT, action: str, entity: EntityT, changed: list[str]) -> None:
        if session.is_unflushed(row):
            raise UnflushedEntity(f"flush {row.id} before its event is emitted")
        await append(session, [self._entry(self._event(session, entity, row.version, action, changed), row.id)])

    def _event(
        self,
        session: WriteSession,
        entity: EntityT | None,
        version: int,
        action: str,
        changed: list[str],
        *,
        subject: str | None = None,
    ) -> Event:
        here = context.current()
        body = entity.model_dump(mode="json") if entity is not None else None
        time: datetime = entity.updated_at if entity is not None else utc_now()
        return Event(
            id=EventId.new(),
            source=f"/relata/{self.topic.service}",
            type=self.topic.event_type(action),
            subject=subject if body is None else str(body["id"]),  # type: ignore[arg-type]  # a tombstone names its subject
            time=time,
            tenant_id=session.tenant_id,
            sequence=version,
            entity=body,
            changed=tuple(changed),
            traceparent=here.trace.traceparent if here else None,
            actor_id=here.actor_id if here else None,
            data_schema=self.topic.data_schema(action) if body is not None else None,
        )

    def _entry(self, event: Event, key: str) -> Record:
        record = Record(self.topic.name, key, event.value(), event.headers())
        size = record_size(record)
        if size > MAX_RECORD_BYTES:
            raise BodyTooLarge(Text(f"The whole entity has {size} bytes.", f"整个对象有 {size} 字节。"))
        return record
