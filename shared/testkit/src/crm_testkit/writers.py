"""Concurrent writers of versioned entities, and the checker of what came out at the other end.

Every transaction changes two entities, whose locks it takes in one order, and some transactions wait before they
commit: so outbox numbers, transaction ids and commits come in three different orders.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from crm_contracts.envelope import Event
from crm_kit.bus import EventLog, StoredRecord, TopicPartition
from crm_kit.db.session import Database
from crm_kit.http.principal import Principal
from sqlalchemy import select

from crm_testkit.toy_service.notes import NOTE_EVENTS, NOTES, NoteRow, NoteWrite, create_note, snapshot

CALLER = Principal("key_test", None)


@dataclass(frozen=True, slots=True)
class Faults:
    """What a consumer would have suffered. `lost`: versions that never came. `reordered`: entities out of order."""

    lost: int
    reordered: int

    def __bool__(self) -> bool:
        return bool(self.lost or self.reordered)


def check(published: Iterable[Event], expected: Mapping[str, int]) -> Faults:
    """Compares what was published with the versions that were committed.

    An event may come twice, since delivery is at least once; its first coming is what counts.
    """
    first: dict[str, list[int]] = {}
    for event in published:
        seen = first.setdefault(event.subject, [])
        if event.sequence not in seen:
            seen.append(event.sequence)
    lost = sum(len(set(range(1, version + 1)) - set(first.get(key, []))) for key, version in expected.items())
    return Faults(lost, sum(seen != sorted(seen) for seen in first.values()))


async def make_notes(database: Database, tenant_id: str, number: int) -> list[str]:
    """Fresh entities, each at version 1."""
    async with database.write(tenant_id) as session:
        notes = [await create_note(session, NoteWrite(title=f"Note {n}"), CALLER) for n in range(number)]
    return sorted(str(note.id) for note in notes)


async def change(database: Database, tenant_id: str, ids: Sequence[str], *, wait: float = 0) -> None:
    """Counts each entity one up, in one transaction that waits before it commits."""
    async with database.write(tenant_id) as session:
        for note_id in sorted(ids):
            row = await NOTES.lock(session, note_id)
            before = snapshot(row)
            row.count += 1
            await NOTE_EVENTS.updated(session, row, before)
        await asyncio.sleep(wait)


async def write_concurrently(
    database: Database, tenant_id: str, ids: Sequence[str], *, writers: int, transactions: int, seed: int
) -> dict[str, int]:
    """Runs `writers` at once, each with so many transactions; the version that each entity has in the end."""

    async def one(number: int) -> None:
        chance = random.Random(f"{seed}/{number}")
        for _ in range(transactions):
            wait = chance.choice((0, 0, 0, 0.002, 0.02))
            await change(database, tenant_id, chance.sample(ids, 2), wait=wait)

    await asyncio.gather(*(one(number) for number in range(writers)))
    return await versions(database, tenant_id)


async def versions(database: Database, tenant_id: str) -> dict[str, int]:
    """The committed version of each of the tenant's entities."""
    async with database.read(tenant_id) as session:
        return {row.id: row.version for row in await session.scalars(select(NoteRow))}


class FromTheBeginning:
    """Positions of a reader that has none."""

    async def load(self, _group: str, _partitions: object) -> dict[TopicPartition, int]:
        return {}


async def read_all(log: EventLog, topic: str, *, group: str = "reader") -> list[StoredRecord]:
    """Everything that stands on a topic now."""
    ends = {tp: lag.end for tp, lag in (await log.lag(group, [topic])).items()}
    subscription = await log.subscribe(group, [topic], FromTheBeginning())
    found: list[StoredRecord] = []
    reached: dict[TopicPartition, int] = {}
    try:
        async with asyncio.timeout(20):
            while any(reached.get(tp, 0) < end for tp, end in ends.items()):
                for tp, records in (await subscription.poll(5000, 0.2)).items():
                    found += records
                    reached[tp] = records[-1].offset + 1
    finally:
        await subscription.close()
    return found


@asynccontextmanager
async def running(*loops: Callable[[], Awaitable[None]]) -> AsyncIterator[list["asyncio.Task[None]"]]:
    """Runs endless loops (relays, consumers, timers) while the block lasts; what ended by an error is raised."""
    tasks = [asyncio.ensure_future(loop()) for loop in loops]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float = 20) -> None:
    """Waits for the condition. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)
