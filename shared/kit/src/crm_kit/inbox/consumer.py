"""Applies events: at least once delivered, exactly once in effect.

A batch's effects and its positions commit together. A transient failure is retried with growing pauses; an event that
cannot be applied is parked with its reason, and the later events of its key behind it, so that other keys go on.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

import asyncpg
import structlog
from crm_contracts.envelope import Event, MalformedEvent
from crm_contracts.registry import Topic
from sqlalchemy import and_, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from crm_kit import context
from crm_kit.bus.port import EventLog, EventLogError, StoredRecord, Subscription, TopicPartition
from crm_kit.db.session import Database, WriteSession, storable
from crm_kit.inbox.positions import Fenced, StoredPositions
from crm_kit.inbox.tables import NO_TENANT, PARKED_EVENT
from crm_kit.observability import metrics
from crm_kit.shutdown import finish

_BATCH = 500
_POLL_SECONDS = 1.0
_MAX_PAUSE_SECONDS = 10.0
_ATTEMPTS = 3
_STALLED_SECONDS = 120.0
_LAG_SECONDS = 5.0

Handler = Callable[[WriteSession, Sequence[Event]], Awaitable[None]]
"""Applies events of one tenant, in log order. It must ignore an event that is not newer than what it has."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """A projection: which topics it follows, and how it applies their events. `name` is its group and never changes."""

    name: str
    topics: tuple[Topic, ...]
    handle: Handler


@dataclass(frozen=True, slots=True)
class _Item:
    """A record with the event that it holds, or the reason why it holds none."""

    record: StoredRecord
    event: Event | None
    error: str

    @property
    def tenant_id(self) -> str:
        return storable(self.event.tenant_id) if self.event else NO_TENANT


def _item(record: StoredRecord) -> _Item:
    try:
        return _Item(record, Event.parse(record.headers, record.value), "")
    except MalformedEvent as error:
        return _Item(record, None, f"MalformedEvent: {error}")


def is_transient(error: BaseException) -> bool:
    """Whether the same batch may succeed later without anybody's help."""
    if isinstance(error, DBAPIError):
        state = str(getattr(error.orig, "sqlstate", None) or "")
        return error.connection_invalidated or state[:2] in ("08", "40", "53", "55", "57")
    return isinstance(error, PoolTimeout | OSError | TimeoutError | EventLogError | asyncpg.InterfaceError)


class ConsumerRunner:
    """Runs one consumer until cancelled."""

    def __init__(self, consumer: Consumer, database: Database, event_log: EventLog, *, service: str) -> None:
        self._consumer = consumer
        self._database = database
        self._event_log = event_log
        self._service = service
        self._positions = StoredPositions(database)
        self._progressed_at = time.monotonic()
        self._behind = 0

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
            batch = await subscription.poll(_BATCH, _POLL_SECONDS)
            if not batch:
                continue
            try:
                await self._apply_with_retry(batch, subscription)
            except Fenced as fenced:
                log.info("consumer_fenced", consumer=self.name, partitions=len(fenced.partitions))
                stored = await self._positions.load(self.name, list(batch))
                for tp in batch:
                    await subscription.seek(tp, stored.get(tp, 0))
                continue
            self._progressed_at = time.monotonic()

    async def _apply_with_retry(
        self, batch: Mapping[TopicPartition, Sequence[StoredRecord]], subscription: Subscription
    ) -> None:
        pause, singly = 0.05, False
        items = [_item(record) for records in batch.values() for record in records]
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
                    log.warning(
                        "consumer_batch_failed",
                        consumer=self.name,
                        error=str(error),
                        kind=type(error).__name__,
                    )
                    continue
                log.warning("consumer_retries", consumer=self.name, error=str(error), kind=type(error).__name__)
                if not subscription.assigned.issuperset(batch):
                    raise Fenced(list(batch)) from error
                await asyncio.sleep(pause)
                pause = min(pause * 2, _MAX_PAUSE_SECONDS)
        self._positions.committed(positions)
        await subscription.commit(positions)
        self._measure(items)

    async def _attempt(self, items: Sequence[_Item], positions: Mapping[TopicPartition, int], *, singly: bool) -> None:
        async with self._database.write(None) as session:
            await self._positions.advance(session, self.name, positions)
            await self._apply(session, items, singly=singly)

    async def _apply(self, session: WriteSession, items: Sequence[_Item], *, singly: bool) -> None:
        by_tenant = sorted(items, key=lambda item: item.tenant_id)  # stable: the order within a tenant stays
        for tenant_id, group in groupby(by_tenant, key=lambda item: item.tenant_id):
            await session.use_tenant(tenant_id)
            mine = list(group)
            parked = await self._parked_keys(session, mine)
            if singly or parked or any(item.event is None for item in mine):
                await self._apply_singly(session, mine, parked)
            else:
                await self._handle(session, mine)

    async def _handle(self, session: WriteSession, items: Sequence[_Item]) -> None:
        events = [item.event for item in items if item.event is not None]
        trace = context.start_trace(events[-1].traceparent)
        here = context.Context(trace, f"event-{events[-1].id}", events[-1].tenant_id, f"service/{self._service}")
        with context.use(here):
            await self._consumer.handle(session, events)
            await session.flush()

    async def _apply_singly(self, session: WriteSession, items: Sequence[_Item], parked: set[tuple[str, str]]) -> None:
        for item in items:
            key = (item.record.topic, storable(item.record.key))
            if key in parked:
                await self._park(session, item, "waits behind an earlier event of its key", 0)
                continue
            error = item.error or await self._try(session, item)
            if error:
                parked.add(key)
                await self._park(session, item, error, _ATTEMPTS)
                log.error("event_parked", consumer=self.name, topic=key[0], key=key[1], reason=error)

    async def _try(self, session: WriteSession, item: _Item) -> str:
        """Applies one event behind a savepoint, a few times; why it failed, or nothing."""
        reason = ""
        for attempt in range(_ATTEMPTS):
            try:
                async with session.savepoint():
                    await self._handle(session, [item])
            except Exception as error:
                if is_transient(error):
                    raise
                reason = f"{type(error).__name__}: {error}"[:2000]
                await asyncio.sleep(0.02 * 4**attempt)
            else:
                return ""
        return reason

    async def _parked_keys(self, session: WriteSession, items: Sequence[_Item]) -> set[tuple[str, str]]:
        table = PARKED_EVENT.c
        topics: dict[str, set[str]] = {}
        for item in items:
            topics.setdefault(item.record.topic, set()).add(storable(item.record.key))
        rows = await session.execute(
            select(table.topic, table.key)
            .where(table.tenant_id == session.tenant_id, table.consumer == self.name)
            .where(or_(*(and_(table.topic == topic, table.key.in_(sorted(keys))) for topic, keys in topics.items())))
            .distinct()
        )
        return {(row.topic, row.key) for row in rows}

    async def _park(self, session: WriteSession, item: _Item, reason: str, attempts: int) -> None:
        record = item.record
        values = {
            "tenant_id": session.tenant_id,
            "consumer": self.name,
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "key": storable(record.key),
            "headers": {storable(name): storable(text) for name, text in record.headers.items()},
            "payload": record.value,
            "error": storable(reason),
            "attempts": attempts,
        }
        await session.execute(insert(PARKED_EVENT).values(values).on_conflict_do_nothing())
        metrics.EVENTS_PARKED.labels(self._service, self.name).inc()

    def _measure(self, items: Sequence[_Item]) -> None:
        metrics.EVENTS_APPLIED.labels(self._service, self.name).inc(len(items))
        now = datetime.now(UTC)
        delay = metrics.EVENT_DELAY.labels(self._service, self.name)
        for item in items:
            if item.event is not None:
                delay.observe(max(0.0, (now - item.event.time).total_seconds()))

    async def _watch_lag(self, topics: Sequence[str]) -> None:
        while True:
            with suppress(Exception):
                lags = await self._event_log.lag(self.name, topics)
                self._behind = sum(lag.behind for lag in lags.values())
                metrics.CONSUMER_LAG.labels(self._service, self.name).set(self._behind)
                if self._behind == 0:
                    self._progressed_at = time.monotonic()
            await asyncio.sleep(_LAG_SECONDS)
