"""The only way to publish: an entity's change, its event and its audit entry in one transaction."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from crm_contracts.envelope import Event
from crm_contracts.ids import EventId
from crm_contracts.registry import RESTATED, Topic
from crm_contracts.types import Entity
from sqlalchemy import select

from crm_kit import context
from crm_kit.audit.changes import BOOKKEEPING, changes_of, changes_of_new, differing, encoded, members_of
from crm_kit.audit.entries import Entry
from crm_kit.audit.erasure import erase_payloads
from crm_kit.bus.port import MAX_RECORD_BYTES, Record, record_size
from crm_kit.db.models import EntityRow, columns, utc_now
from crm_kit.db.rows import json_of
from crm_kit.db.session import WriteSession
from crm_kit.errors import BodyTooLarge, Text
from crm_kit.observability import tracing
from crm_kit.outbox.pending import Pending, pending
from crm_kit.outbox.table import append
from crm_kit.rights.shares import write_shares
from crm_kit.rights.tables import RECORD_SHARE

RowT = TypeVar("RowT", bound=EntityRow)
EntityT = TypeVar("EntityT", bound=Entity)

_LONG_VALUE_BYTES: Final = MAX_RECORD_BYTES // 2


def _shares(entity: Entity) -> list[dict[str, Any]]:
    return [share.model_dump() for share in getattr(entity, "shares", ())]


class EntityEvents(Generic[RowT, EntityT]):
    """Publishes the changes of one entity type, and tells the audit log of them.

    `snapshot` turns a row into what others may see of it. A topic that declares no actions is never published: its
    entities have versions and audit entries, and no events.
    """

    def __init__(self, topic: Topic, row: type[RowT], snapshot: Callable[[RowT], EntityT]) -> None:
        self.topic = topic
        self.row = row
        self.snapshot = snapshot

    async def created(self, session: WriteSession, row: RowT, *, action: str = "created") -> EntityT:
        """Inserts `row` as version 1 and publishes it."""
        row.tenant_id = session.tenant_id
        row.version = 1
        text = json_of(self.row, row)
        async with pending(session) as writing:
            entity = self._told_whole(session, row, action, writing, writing.new_shares)
            writing.insert(self.row, row, text)
        return entity

    async def created_all(self, session: WriteSession, rows: Sequence[RowT], *, action: str = "created") -> None:
        """As `created`, for many rows in as many round trips as for one. The caller bounds how many."""
        async with session.gathered():
            for row in rows:
                await self.created(session, row, action=action)

    async def updated(self, session: WriteSession, row: RowT, before: EntityT, *, action: str = "updated") -> bool:
        """Publishes what changed since the snapshot `before`; False, and nothing published, where nothing did.

        The row must have been read for update in this transaction.
        """
        old, new = members_of(before), members_of(self.snapshot(row))
        changed = differing(old, new)
        if not changed:
            return False
        row.version = before.version + 1
        row.updated_at = utc_now()
        entity = self.snapshot(row)
        records = self._records(session, row, action, entity.model_dump(mode="json"), changed)
        async with pending(session) as writing:
            writing.changed.append(row)
            writing.records += records
            writing.entries.append(self._told(row, action, changes_of(old, new)))
            if "shares" in changed:
                writing.shares[row.id] = _shares(entity)
        return True

    async def restored(self, session: WriteSession, row: RowT, version: int) -> EntityT:
        """Publishes a row that was deleted as `version - 1` and has just been put back."""
        row.version = version
        row.updated_at = utc_now()
        async with pending(session) as writing:
            entity = self._told_whole(session, row, "created", writing, writing.shares)
            writing.changed.append(row)
        return entity

    def _told_whole(
        self, session: WriteSession, row: RowT, action: str, writing: Pending, shares: dict[str, Any]
    ) -> EntityT:
        """Event and audit entry of an entity that was not there; `shares`: where it is said with whom it is shared."""
        entity = self.snapshot(row)
        body = entity.model_dump(mode="json")
        changed = sorted(name for name, value in body.items() if value is not None and name not in BOOKKEEPING)
        writing.records += self._records(session, row, action, body, changed)
        writing.entries.append(self._told(row, action, changes_of_new(body)))
        if body.get("shares"):
            shares[row.id] = _shares(entity)
        return entity

    async def restated(self, session: WriteSession, entity_id: str) -> bool:
        """Publishes the entity as it is once more, under its version; False where there is none."""
        return await self.restated_all(session, [entity_id]) == 1

    async def restated_all(self, session: WriteSession, ids: Sequence[str]) -> int:
        """As `restated`, for many in as many round trips as for one; how many there are. The caller bounds how many.

        Under the rows' locks, so that no event of a newer version is numbered before this one. Nothing has changed, so
        the audit log tells nothing.
        """
        c = columns(self.row)
        those = select(self.row).where(c.id.in_(ids)).order_by(c.id).with_for_update()
        rows = (await session.scalars(those.execution_options(populate_existing=True))).all()
        records = [each for row in rows for each in self._records(session, row, RESTATED, self._body(row), [])]
        await append(session, records, [])
        return len(rows)

    async def deleted(self, session: WriteSession, row: RowT) -> None:
        """Deletes `row`; publishes its last state, then a tombstone by which compaction forgets it."""
        row.version += 1
        row.updated_at = utc_now()
        await session.flush()
        body = self._body(row)
        await session.delete(row)
        await session.flush()
        if body.get("shares"):
            await write_shares(session, RECORD_SHARE, {row.id: []})
        records = [each for state in (body, None) for each in self._records(session, row, "deleted", state, [])]
        await append(session, records, [self._told(row, "deleted", changes_of(encoded(body), None))])

    async def erased(self, session: WriteSession, row: RowT) -> None:
        """Deletes `row` and what was told of it: its values in the audit log, and, by a tombstone, its earlier events.

        No event tells its last state. The row must have been read for update.
        """
        await self.erased_all(session, [row])

    async def erased_all(self, session: WriteSession, rows: Sequence[RowT]) -> None:
        """As `erased`, for many rows in as many round trips as for one. The caller bounds how many."""
        for row in rows:
            await session.delete(row)
        await session.flush()
        await write_shares(session, RECORD_SHARE, {row.id: [] for row in rows if getattr(row, "shares", None)})
        await self.forgotten_all(session, {row.id: row.version + 1 for row in rows})
        await erase_payloads(session, self.topic.entity, [row.id for row in rows])

    async def forgotten(self, session: WriteSession, entity_id: str, version: int) -> None:
        """Publishes a tombstone by which the event log forgets what it has of an entity that is there no more."""
        await self.forgotten_all(session, {entity_id: version})

    async def forgotten_all(self, session: WriteSession, versions: Mapping[str, int]) -> None:
        """As `forgotten`, for many: by id the version of each."""
        if self.topic.actions:
            events = [
                event_of(session, self.topic, id_, version, utc_now(), "deleted", None, erased=True)
                for id_, version in versions.items()
            ]
            await append(session, [record_of(event) for event in events], [])

    async def stripped(self, session: WriteSession, row: RowT, before: EntityT) -> bool:
        """As `updated`, of what takes a person out of a record that stays: nobody is told any more what was there before."""
        changed = differing(members_of(before), members_of(self.snapshot(row)))
        if not changed:
            return False
        row.version = before.version + 1
        row.updated_at = utc_now()
        await session.flush()
        records = self._records(session, row, "updated", self._body(row), changed, erased=True)
        await append(session, records, [])
        if "shares" in changed:
            await write_shares(session, RECORD_SHARE, {row.id: _shares(self.snapshot(row))})
        await erase_payloads(session, self.topic.entity, [row.id])
        return True

    def _body(self, row: RowT) -> dict[str, Any]:
        return self.snapshot(row).model_dump(mode="json")

    def _told(self, row: RowT, action: str, changes: str) -> Entry:
        return Entry(self.topic.entity, action, row.id, row.version, changes)

    def _records(
        self,
        session: WriteSession,
        row: RowT,
        action: str,
        body: dict[str, Any] | None,
        changed: Sequence[str],
        *,
        erased: bool = False,
    ) -> list[Record]:
        """The event's record; none where the topic is not published."""
        if not self.topic.actions:
            return []
        event = event_of(session, self.topic, row.id, row.version, row.updated_at, action, body, changed, erased=erased)
        return [record_of(event)]


def event_of(
    session: WriteSession,
    topic: Topic,
    entity_id: str,
    version: int,
    time: datetime,
    action: str,
    body: dict[str, Any] | None,
    changed: Sequence[str] = (),
    *,
    erased: bool = False,
) -> Event:
    """An event of the session's tenant, done by who is at work. `body` None: a tombstone."""
    here = context.current()
    chain = here.chain if here else context.BEGINNING
    trace = tracing.message_created(topic.name) or (here.trace if here else None)
    return Event(
        id=EventId.new(),
        source=f"/relata/{topic.service}",
        type=topic.event_type(action),
        subject=entity_id,
        time=time,
        tenant_id=session.tenant_id,
        sequence=version,
        entity=body,
        changed=tuple(changed),
        traceparent=trace.traceparent if trace else None,
        actor_id=here.actor_id if here else None,
        correlation_id=chain.correlation_id or (here.trace.trace_id if here else None),
        causation_id=chain.causation_id,
        hops=chain.hops,
        data_schema=topic.data_schema(action) if body is not None else None,
        erased=erased,
    )


def record_of(event: Event) -> Record:
    """As the log takes it. Raises BodyTooLarge."""
    record = Record(event.topic, event.subject, event.value(), event.headers())
    # Key and headers are short, so that only a long value is worth the counting.
    size = record_size(record) if record.value and len(record.value) > _LONG_VALUE_BYTES else 0
    if size > MAX_RECORD_BYTES:
        raise BodyTooLarge(Text(f"The whole entity has {size} bytes.", f"整个对象有 {size} 字节。"))
    return record
