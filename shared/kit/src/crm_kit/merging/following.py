"""Follows merges: what refers to a merged record is made to refer to the one that is left; an undone merge gives it back.

Where a reference belongs follows from the merges that stand and from where it was at first alone, so that the order in which
a service hears of them does not matter. What somebody has changed since is theirs.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from crm_contracts.envelope import Event
from crm_contracts.ids import prefix_of
from crm_contracts.registry import Topic
from pydantic import JsonValue

from crm_kit.db.locks import lock_keys
from crm_kit.db.rows import json_bytes, together
from crm_kit.db.session import WriteSession
from crm_kit.db.sql import Sql
from crm_kit.inbox import Consumer, newest
from crm_kit.merging import repository
from crm_kit.merging.current import current_of, lock_merges
from crm_kit.merging.repository import Moved, Reference
from crm_kit.settings import ServiceSettings
from crm_kit.timers import TimerHandler, set_timers

_TIMER: Final = "merged_references"
_AT_ONCE: Final = 200


def follow_merges(service: str, topic: Topic) -> Consumer:
    """The consumer that keeps MERGED_RECORD and sets off the moving of references, where the service has some."""

    async def follow(session: WriteSession, events: Sequence[Event]) -> None:
        merges = [event for event in newest(events) if event.entity is not None]
        await lock_merges(session)
        await session.fetch(_TELL, {"rows": together([json_bytes(each) for event in merges for each in _rows(event)])})
        now = await session.now()
        await set_timers(session, _TIMER, [(event.subject, now, {}) for event in merges])

    return Consumer(name=f"{service}.merges", topics=(topic,), handle=follow, order="pass")


_TELL: Final = Sql(
    "insert into merged_record (tenant_id, record_id, merge_id, version, into_id, active)"
    " select current_setting('app.tenant_id'), record_id, merge_id, version, into_id, active"
    " from jsonb_populate_recordset(null::merged_record, cast(:rows as text)::jsonb)"
    " on conflict (tenant_id, record_id, merge_id)"
    " do update set version = excluded.version, into_id = excluded.into_id, active = excluded.active"
    " where merged_record.version < excluded.version"
)


def _rows(event: Event) -> list[dict[str, Any]]:
    entity = event.entity
    assert entity is not None, "a tombstone tells of no merge"
    told = {
        "merge_id": event.subject,
        "version": event.sequence,
        "into_id": entity["into_id"],
        "active": entity["status"] == "merged" and not event.deleted,
    }
    return [{"record_id": record_id, **told} for record_id in entity["from_ids"]]


class MergedReferences:
    """The timers of a service whose entities hold such references."""

    def __init__(self, *references: Reference) -> None:
        self._references = {each.events.topic.entity: each for each in references}

    def timers(self, _settings: ServiceSettings) -> Mapping[str, TimerHandler]:
        return {_TIMER: self._move_some}

    async def _move_some(self, session: WriteSession, key: str, _payload: Mapping[str, JsonValue]) -> datetime | None:
        """A bounded number of the references that the merge `key`, or its undoing, moves; again at once where more are left."""
        # One mover of a tenant at a time: of two that move one reference, the second would take where the first puts it for
        # its home, or not see it there.
        await lock_keys(session, _TIMER, [""])
        homes = await repository.homes_of(session, key)
        targets = await current_of(session, homes)
        misplaced = await repository.misplaced(session, targets, _AT_ONCE)
        await self._move_on(session, misplaced, targets)
        left = _AT_ONCE - len(misplaced)
        for reference in self._references.values():
            for home, target in targets.items():
                if left > 0 and target != home:
                    left -= await self._move_first(session, reference, home, target, left)
        return await session.now() if left <= 0 else None

    async def _move_on(self, session: WriteSession, moved: Sequence[Moved], targets: Mapping[str, str]) -> None:
        """Those that were moved before: farther, or back. Who has been given something else meanwhile keeps it."""
        rows: dict[str, Any] = {}
        for kind, reference in self._references.items():
            ids = [each.entity_id for each in moved if prefix_of(each.entity_id) == kind]
            rows |= await repository.locked(session, reference.events.row, ids)
        placed, forgotten = [], []
        async with session.gathered():
            for each in moved:
                known = self._references.get(prefix_of(each.entity_id) or "")
                row, target = rows.get(each.entity_id), targets[each.home_id]
                ours = known is not None and row is not None and getattr(row, known.member) == each.placed_id
                if known is not None and ours and not await repository.is_taken(session, known, row, target):
                    await _refer(session, known, row, target)
                    if target != each.home_id:
                        placed.append(each._replace(placed_id=target))
                        continue
                forgotten.append(each.entity_id)
        await repository.note(session, placed)
        await repository.forget(session, forgotten)

    async def _move_first(self, session: WriteSession, reference: Reference, home: str, target: str, limit: int) -> int:
        rows = await repository.referring(session, reference, home, target, limit)
        async with session.gathered():
            for row in rows:
                await _refer(session, reference, row, target)
        await repository.note(session, [Moved(row.id, home, target) for row in rows])
        return len(rows)


async def _refer(session: WriteSession, reference: Reference, row: Any, target: str) -> None:
    before = reference.events.snapshot(row)
    setattr(row, reference.member, target)
    await reference.events.updated(session, row, before)
    if reference.along is not None:
        await reference.along(session, row)
