"""A consumer as the suite needs it: effects and positions under one fence, and records to send."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Protocol
from uuid import uuid4

from crm_kit.bus import EventLog, Record, StoredRecord, Subscription, TopicPartition, Unavailable


def unique(name: str) -> str:
    """A name for a topic or group that no other test, worker or earlier run on the same server has used."""
    return f"{name}-{uuid4().hex[:12]}"


class Outage(Protocol):
    """A log of its own whose server a test may stop."""

    log: EventLog

    async def stop(self) -> None:
        """Make the server unreachable."""
        ...

    async def start(self) -> None:
        """Bring it back with its data."""
        ...


class Ledger:
    """Effects and positions stored together under a fence, as a consumer's database does it."""

    def __init__(self) -> None:
        self.positions: dict[TopicPartition, int] = {}
        self.effects: list[StoredRecord] = []
        self.fenced = 0

    def apply(self, tp: TopicPartition, expected: int, records: Sequence[StoredRecord]) -> bool:
        """One transaction; False if another member has moved the position meanwhile."""
        if self.positions.get(tp, 0) != expected:
            self.fenced += 1
            return False
        self.effects += records
        self.positions[tp] = records[-1].offset + 1
        return True

    def sequences(self) -> dict[str, list[int]]:
        """Per key, the numbers in its values in the order in which they took effect."""
        found: dict[str, list[int]] = defaultdict(list)
        for record in self.effects:
            assert record.value is not None
            found[record.key].append(int(record.value.split()[0]))
        return dict(found)


class Member:
    """One consumer of a group: polls, applies under the fence, reports its position."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.subscription: Subscription
        self._expected: dict[TopicPartition, int] = {}

    async def load(self, group: str, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
        """`Positions.load`, remembered as the fence."""
        stored = {tp: self.ledger.positions[tp] for tp in partitions if tp in self.ledger.positions}
        self._expected.update({tp: stored.get(tp, 0) for tp in partitions})
        return stored

    async def step(self, max_records: int = 500, wait: float = 0.3) -> int:
        """One poll; how many records it returned."""
        batch = await self.subscription.poll(max_records, wait)
        await asyncio.sleep(0)
        for tp, records in batch.items():
            if self.ledger.apply(tp, self._expected[tp], records):
                self._expected[tp] = records[-1].offset + 1
            else:
                self._expected[tp] = self.ledger.positions.get(tp, 0)
                await self.subscription.seek(tp, self._expected[tp])
        await self.subscription.commit({tp: self._expected[tp] for tp in batch})
        return sum(map(len, batch.values()))

    async def run(self, until: Callable[[], bool], within: float = 60.0) -> None:
        """Consume until the condition holds; fails the test if it does not in time."""
        async with asyncio.timeout(within):
            while not until():
                await self.step()


@asynccontextmanager
async def running(work: Coroutine[object, object, None]) -> AsyncIterator[asyncio.Task[None]]:
    """The work as a task that does not outlive the block."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def joined(log: EventLog, group: str, topics: Sequence[str], ledger: Ledger) -> AsyncIterator[Member]:
    """A member of the group for the length of the block."""
    member = Member(ledger)
    member.subscription = await log.subscribe(group, topics, member)
    try:
        yield member
    finally:
        await member.subscription.close()


def numbered(topic: str, keys: Iterable[str], numbers: Iterable[int], size: int = 0) -> list[Record]:
    """For each number in turn one record of every key, with the number as its value."""
    fixed = list(keys)
    return [Record(topic, key, f"{n} ".encode().ljust(size, b"x"), {}) for n in numbers for key in fixed]


def batches(records: Sequence[Record], most: int, seed: int) -> list[Sequence[Record]]:
    """The records in runs of random length."""
    rng = random.Random(seed)
    cut: list[Sequence[Record]] = []
    rest = list(records)
    while rest:
        length = rng.randint(1, most)
        cut.append(rest[:length])
        rest = rest[length:]
    return cut


async def publish_until_stored(log: EventLog, records: Sequence[Record]) -> int:
    """As the relay does: repeat what was not acknowledged. How often the log was unavailable."""
    refused = 0
    while True:
        try:
            await log.publish(records)
        except Unavailable:
            refused += 1
            await asyncio.sleep(0.1)
        else:
            return refused


def without_repeats(numbers: Sequence[int]) -> list[int]:
    """What a version guard lets through: only what is newer than all before."""
    seen = 0
    kept = []
    for number in numbers:
        if number > seen:
            kept.append(number)
            seen = number
    return kept
