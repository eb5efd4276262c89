"""Applies events: at least once delivered, exactly once in effect.

A batch's effects and its positions commit together. A transient failure is retried with growing pauses; an event that
cannot be applied is parked with its reason, so that other keys go on; later events of its key wait behind it, or pass,
as the consumer declares.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

import structlog
from crm_contracts.envelope import Event

from crm_kit.bus.port import EventLog, StoredRecord, Subscription, TopicPartition
from crm_kit.db.session import Database, WriteSession, storable
from crm_kit.inbox.applying import Consumer, Reading, apply_events, is_transient, read_event, try_event
from crm_kit.inbox.lateness import Lateness
from crm_kit.inbox.parking import held_keys, key_of, park
from crm_kit.inbox.positions import Fenced, StoredPositions
from crm_kit.inbox.tables import NO_TENANT, Kind
from crm_kit.observability import metrics
from crm_kit.pacing import Pace
from crm_kit.shutdown import finish

_BATCH = 1000
_POLL_SECONDS = 1.0
_MAX_PAUSE_SECONDS = 10.0
_LONGEST_REST_SECONDS = 0.1
_ATTEMPTS = 3
_STALLED_SECONDS = 120.0
_LAG_SECONDS = 5.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Item:
    """A record and what was read in it.

    `tenant_id`: the tenant that the record names, even where the rest of it makes no sense: its owner can then see it.
    """

    record: StoredRecord
    reading: Reading
    tenant_id: str


class ConsumerRunner:
    """Runs one consumer until cancelled."""

    def __init__(self, consumer: Consumer, database: Database, event_log: EventLog, *, service: str) -> None:
        self._consumer = consumer
        self._topics = {topic.name: topic for topic in consumer.topics}
        self._database = database
        self._event_log = event_log
        self._service = service
        self._positions = StoredPositions(database)
        self._progressed_at = time.monotonic()
        self._behind = 0
        self._lateness = Lateness()
        self._pace = Pace(round_seconds=consumer.gather_seconds, longest=_LONGEST_REST_SECONDS)
        self._in_hand_since: datetime | None = None
        metrics.EVENTS_APPLIED.labels(service, self.name)
        metrics.EVENTS_PARKED.labels(service, self.name)
        self.has_backlog = False
        """Whether what it read last was more than could be applied as it came."""

    @property
    def name(self) -> str:
        return self._consumer.name

    @property
    def stalled(self) -> bool:
        """Events wait and none was applied for two minutes: the process is better restarted."""
        return self._behind > 0 and time.monotonic() - self._progressed_at > _STALLED_SECONDS

    async def run(self) -> None:
        """Runs until cancelled; whatever fails is retried."""
        pause = 0.1
        while True:
            started = time.monotonic()
            subscription: Subscription | None = None
            lag: asyncio.Task[None] | None = None
            try:
                topics = [topic.name for topic in self._consumer.topics]
                subscription = await self._event_log.subscribe(self.name, topics, self._positions)
                lag = asyncio.create_task(self._watch_lag(topics))
                await self._follow(subscription)
            except Exception as error:
                log.warning("consumer_interrupted", consumer=self.name, error=str(error), kind=type(error).__name__)
            finally:
                if lag is not None:
                    lag.cancel()
                if subscription is not None:
                    with suppress(Exception):
                        await subscription.close()
            pause = 0.1 if time.monotonic() - started > 30 else min(pause * 2, _MAX_PAUSE_SECONDS)
            await asyncio.sleep(pause)

    async def _follow(self, subscription: Subscription) -> None:
        while True:
            self._in_hand_since = None
            batch = await subscription.poll(_BATCH, _POLL_SECONDS)
            self.has_backlog = sum(map(len, batch.values())) >= self._consumer.backlog
            if not batch:
                continue
            self._pace.begin()
            self._in_hand_since = min(records[0].timestamp for records in batch.values())
            try:
                await self._apply_with_retry(batch, subscription)
            except Fenced as fenced:
                log.info("consumer_fenced", consumer=self.name, partitions=len(fenced.partitions))
                stored = await self._positions.load(self.name, list(batch))
                for tp in batch:
                    await subscription.seek(tp, stored.get(tp, 0))
                continue
            self._progressed_at = time.monotonic()
            # In a backlog it is the readers of the views who wait.
            await asyncio.sleep(0.0 if self.has_backlog else self._pace.rest)

    async def _apply_with_retry(
        self, batch: Mapping[TopicPartition, Sequence[StoredRecord]], subscription: Subscription
    ) -> None:
        pause, singly = 0.05, False
        items = [self._read(record) for records in batch.values() for record in records]
        positions = {tp: records[-1].offset + 1 for tp, records in batch.items()}
        while True:
            try:
                await finish(self._attempt(items, positions, singly=singly))
                break
            except Fenced:
                raise
            except Exception as error:
                if not is_transient(error):
                    if singly:
                        raise
                    singly = True
                    # Not the error's text: it may quote the entity, which is personal data. The letter will have it.
                    log.warning("consumer_batch_failed", consumer=self.name, kind=type(error).__name__)
                    continue
                log.warning("consumer_retries", consumer=self.name, error=str(error), kind=type(error).__name__)
                if not subscription.assigned.issuperset(batch):
                    raise Fenced(list(batch)) from error
                await asyncio.sleep(pause)
                pause = min(pause * 2, _MAX_PAUSE_SECONDS)
        self._positions.committed(positions)
        await subscription.commit(positions)
        self._measure(items)

    def _read(self, record: StoredRecord) -> _Item:
        reading = read_event(self._consumer, self._topics.get(record.topic), record.headers, record.value)
        return _Item(record, reading, storable(record.headers.get("ce_tenantid") or NO_TENANT))

    async def _attempt(self, items: Sequence[_Item], positions: Mapping[TopicPartition, int], *, singly: bool) -> None:
        first = min(item.tenant_id for item in items)
        async with self._database.write(None) as session:
            await self._positions.advance(session, self.name, positions, first)
            await self._apply(session, items, singly=singly)

    async def _apply(self, session: WriteSession, items: Sequence[_Item], *, singly: bool) -> None:
        backlog = len(items) >= self._consumer.backlog
        by_tenant = sorted(items, key=lambda item: item.tenant_id)  # stable: the order within a tenant stays
        for tenant_id, group in groupby(by_tenant, key=lambda item: item.tenant_id):
            if not await session.follow_tenant(tenant_id):
                continue
            await self._apply_of_tenant(session, list(group), singly=singly, backlog=backlog)

    async def _apply_of_tenant(
        self, session: WriteSession, items: Sequence[_Item], *, singly: bool, backlog: bool
    ) -> None:
        waits = self._consumer.order == "wait"
        held = await held_keys(session, self.name, {key_of(item.record) for item in items}) if waits else set()
        good: list[Event] = []
        for item in items:
            key = key_of(item.record)
            if key in held:
                await self._park(session, item, "waiting", "waits behind an earlier event of its key", 0)
                continue
            error = item.reading.error
            if item.reading.event is not None:
                if not singly:
                    good.append(item.reading.event)
                    continue
                error = await self._try(session, item.reading.event)
            if error:
                await self._park(session, item, item.reading.kind, error, _ATTEMPTS if item.reading.event else 1)
                if waits:
                    held.add(key)
        if good:
            await apply_events(self._consumer, self._service, session, good, backlog=backlog)

    async def _try(self, session: WriteSession, event: Event) -> str:
        """Tries one event a few times: why it failed, or nothing."""
        reason = ""
        for attempt in range(_ATTEMPTS):
            reason = await try_event(self._consumer, self._service, session, event)
            if not reason:
                break
            await asyncio.sleep(0.02 * 4**attempt)
        return reason

    async def _park(self, session: WriteSession, item: _Item, kind: Kind, reason: str, attempts: int) -> None:
        letter_id = await park(session, self.name, item.record, kind=kind, error=reason, attempts=attempts)
        metrics.EVENTS_PARKED.labels(self._service, self.name).inc()
        log.error("event_parked", consumer=self.name, letter=letter_id, topic=item.record.topic, kind=kind)

    def _measure(self, items: Sequence[_Item]) -> None:
        metrics.EVENTS_APPLIED.labels(self._service, self.name).inc(len(items))
        now = datetime.now(UTC)
        delay = metrics.EVENT_DELAY.labels(self._service, self.name)
        for item in items:
            if item.reading.event is not None:
                delay.observe(max(0.0, (now - item.reading.event.time).total_seconds()))

    def _in_hand_seconds(self) -> float:
        """Since when the oldest record of the batch that is being applied has been in the log."""
        since = self._in_hand_since
        return max(0.0, (datetime.now(UTC) - since).total_seconds()) if since is not None else 0.0

    async def _watch_lag(self, topics: Sequence[str]) -> None:
        while True:
            with suppress(Exception):
                lags = await self._event_log.lag(self.name, topics)
                self._behind = sum(lag.behind for lag in lags.values())
                metrics.CONSUMER_LAG.labels(self._service, self.name).set(self._behind)
                late = max(self._lateness.seconds(lags, time.monotonic()), self._in_hand_seconds())
                metrics.CONSUMER_LAG_SECONDS.labels(self._service, self.name).set(late)
                if self._behind == 0:
                    self._progressed_at = time.monotonic()
            await asyncio.sleep(_LAG_SECONDS)
