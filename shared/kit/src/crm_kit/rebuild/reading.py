"""Applies the log from its beginning, step by step, under a group of its own."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from crm_kit.bus.port import EventLog, StoredRecord, Subscription, TopicPartition
from crm_kit.db.session import Database
from crm_kit.inbox.applying import Consumer, Handler
from crm_kit.inbox.consumer import ConsumerRunner
from crm_kit.inbox.positions import Fenced
from crm_kit.rebuild.errors import RebuildFailed

_LOOK_EVERY: Final = 1.0
_QUIET_SECONDS: Final = 2.0
"""Longer than an event log takes to hand out what it has."""


def group_of(consumer: Consumer) -> str:
    """The group under which this consumer's projection is rebuilt."""
    return f"{consumer.name}@rebuild"


class Reading(ConsumerRunner):
    """A consumer that is driven by hand. It parks events and fences its positions as every consumer does."""

    def __init__(self, consumer: Consumer, database: Database, event_log: EventLog, *, service: str) -> None:
        # What it makes is to be whole when it takes the live one's place: it leaves nothing for later.
        mine = replace(consumer, name=group_of(consumer), handle_backlog=None)
        super().__init__(mine, database, event_log, service=service)
        self._names = [topic.name for topic in consumer.topics]
        self._subscription: Subscription | None = None
        self._looked_at = 0.0
        self._stepped_at = 0.0
        self._quiet: tuple[float, Mapping[TopicPartition, int]] | None = None
        self._nothing_below: dict[TopicPartition, int] = {}
        self.position: dict[TopicPartition, int] = {}
        self.ends: Mapping[TopicPartition, int] = {}
        self.events = 0

    async def open(self) -> None:
        self._subscription = await self._event_log.subscribe(self.name, self._names, self._positions)
        await self.look()

    async def close(self) -> None:
        if self._subscription is not None:
            await self._subscription.close()

    def handle_by(self, handler: Handler) -> None:
        self._consumer = replace(self._consumer, handle=handler)

    def reached(self, tp: TopicPartition) -> int:
        """Everything below this offset has been applied; after compaction that may be more than was read."""
        return max(self.position.get(tp, 0), self._nothing_below.get(tp, 0))

    def has_reached(self, positions: Mapping[TopicPartition, int]) -> bool:
        return all(self.reached(tp) >= offset for tp, offset in positions.items())

    @property
    def behind(self) -> int:
        return sum(max(0, end - self.reached(tp)) for tp, end in self.ends.items())

    async def look(self) -> None:
        """Asks the log for its ends."""
        lags = await self._event_log.lag(self.name, self._names)
        self.ends = {tp: lag.end for tp, lag in lags.items()}
        self._looked_at = time.monotonic()

    async def step(self, *, most: int, wait: float, below: Mapping[TopicPartition, int] | None = None) -> int:
        """Applies what comes next, of each partition not from `below` on; how many events that was.

        Raises RebuildFailed where somebody else moves this group's positions.
        """
        assert self._subscription is not None, "open() comes first"
        if time.monotonic() - self._stepped_at > _LOOK_EVERY:
            self._quiet = None
        batch = await self._subscription.poll(most, wait)
        if sum(map(len, batch.values())) >= most:
            self._quiet = None
        if below is not None:
            batch = await self._cut(batch, below)
        if batch:
            try:
                await self._apply_with_retry(batch, self._subscription)
            except Fenced:
                await self._go_back(batch)
            else:
                self.position.update({tp: records[-1].offset + 1 for tp, records in batch.items()})
        applied = sum(map(len, batch.values()))
        self.events += applied
        await self._note_quiet()
        self._stepped_at = time.monotonic()
        return applied

    async def _cut(
        self, batch: Mapping[TopicPartition, Sequence[StoredRecord]], below: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, list[StoredRecord]]:
        assert self._subscription is not None, "open() comes first"
        kept: dict[TopicPartition, list[StoredRecord]] = {}
        for tp, records in batch.items():
            wanted = [record for record in records if record.offset < below.get(tp, 0)]
            if wanted:
                kept[tp] = wanted
            if len(wanted) < len(records):
                await self._subscription.seek(tp, records[len(wanted)].offset)
                self._quiet = None
        return kept

    async def _go_back(self, batch: Mapping[TopicPartition, Sequence[StoredRecord]]) -> None:
        """After a lost connection it is not known whether the batch was committed: the stored positions say it."""
        assert self._subscription is not None, "open() comes first"
        self._quiet = None
        stored = await self._positions.load(self.name, list(batch))
        for tp, records in batch.items():
            offset = stored.get(tp, 0)
            if offset not in (self.position.get(tp, 0), records[-1].offset + 1):
                raise RebuildFailed(
                    "another rebuild of this projection moves the same positions: end it, and try again"
                )
            self.position[tp] = offset
            await self._subscription.seek(tp, offset)

    async def _note_quiet(self) -> None:
        """Where compaction removed a partition's newest records, no event tells that its end is reached: silence does.

        The log is asked before and after, so that a log which does not answer is not taken for a silent one.
        """
        assert self._subscription is not None, "open() comes first"
        if time.monotonic() - self._looked_at < _LOOK_EVERY:
            return
        before = self._quiet
        await self.look()
        if not self._subscription.assigned.issuperset(self.ends):
            self._quiet = None
        elif before is None:
            self._quiet = (self._looked_at, self.ends)
        elif self._looked_at - before[0] > _QUIET_SECONDS:
            for tp, end in before[1].items():
                self._nothing_below[tp] = max(end, self._nothing_below.get(tp, 0))
            self._quiet = None
