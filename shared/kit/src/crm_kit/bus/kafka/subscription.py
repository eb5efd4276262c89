"""One member of a consumer group on Kafka."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener  # type: ignore[import-untyped]  # ships no types
from aiokafka import TopicPartition as KafkaTopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor  # type: ignore[import-untyped]  # as above
from aiokafka.errors import (  # type: ignore[import-untyped]  # as above
    ConsumerStoppedError,
    IllegalStateError,
    KafkaError,
)

from crm_kit.bus.access import KafkaAccess
from crm_kit.bus.kafka.errors import FORBIDDEN, forbidden
from crm_kit.bus.kafka.explaining import explained
from crm_kit.bus.port import COMMIT_SECONDS, REPLACED, Positions, StoredRecord, TopicPartition, Unavailable
from crm_kit.observability.recurring import Recurring

logger = logging.getLogger(__name__)

_FAILURES = (KafkaError, ConsumerStoppedError, OSError, TimeoutError, Unavailable)
_HAND_OVER_WITHIN = 10.0
"""Seconds a rebalance waits for this member to finish the batch it has in hand."""
_CLOSE_WITHIN = 5.0
_SLICE = 0.5
"""Longest single wait in the client, so that a new assignment is noticed soon."""
_LOOK_AGAIN = 2.0
_BACKOFF_FIRST, _BACKOFF_MOST = 0.2, 5.0
_PATIENCE_MOST = 600.0


class KafkaSubscription:
    """Reads from positions that the consumer stores, never from those that Kafka keeps.

    aiokafka stops delivering after some failed rejoins without saying so (its issues 1037 and 847): when there is
    something to read and nothing has come for `stall_after` seconds, or the client raises, it is replaced by a new one.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        group: str,
        topics: Sequence[str],
        positions: Positions,
        *,
        access: KafkaAccess | None = None,
        group_instance_id: str | None = None,
        stall_after: float = 20.0,
    ) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._group = group
        self._topics = sorted(set(topics))
        self._positions = positions
        self._access = access or KafkaAccess()
        self._group_instance_id = group_instance_id
        self._stall_after = stall_after
        self._patience = stall_after
        self._consumer: Any = None
        self._next: dict[TopicPartition, int] = {}
        self._unplaced: frozenset[TopicPartition] = frozenset()
        self._nothing_in_hand = asyncio.Event()
        self._nothing_in_hand.set()
        self._progress_at = 0.0
        self._backoff = _BACKOFF_FIRST
        self._to_commit: dict[TopicPartition, int] = {}
        self._committer: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()
        self._fault = Recurring()
        self._stamp: tuple[object, ...] = ()

    @property
    def assigned(self) -> frozenset[TopicPartition]:
        """The partitions that this member reads at present."""
        return frozenset(self._next)

    async def poll(self, max_records: int, timeout: float) -> Mapping[TopicPartition, Sequence[StoredRecord]]:
        """See `Subscription.poll`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        self._nothing_in_hand.set()
        while not self._closed.is_set():
            if self._unplaced:
                await self._place(self._consumer)
            remaining = max(0.0, deadline - loop.time())
            try:
                consumer = await self._connected()
                batch = await self._fetch(consumer, max_records, min(_SLICE, remaining))
                self._backoff = _BACKOFF_FIRST
                if batch:
                    self._nothing_in_hand.clear()
                    self._note_progress(loop.time())
                    return batch
                if await self._stalled(consumer, loop.time()):
                    await self._replace("it has stopped delivering")
            except _FAILURES as error:
                await self._replace(_reason(error))
                remaining = max(0.0, deadline - loop.time())
                await self._sleep(min(self._backoff, remaining))
                self._backoff = min(self._backoff * 2, _BACKOFF_MOST)
            if loop.time() >= deadline:
                break
        return {}

    async def seek(self, tp: TopicPartition, offset: int) -> None:
        """Read `tp` from `offset` on."""
        if tp in self._next and self._consumer is not None:
            with contextlib.suppress(IllegalStateError):
                self._consumer.seek(KafkaTopicPartition(tp.topic, tp.partition), offset)
                self._next[tp] = offset

    async def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """Send positions to Kafka in the background, the newest of each partition."""
        self._to_commit.update(positions)
        if self._committer is None or self._committer.done():
            self._committer = asyncio.create_task(self._commit_pending(), name=f"kafka-commit-{self._group}")

    async def close(self) -> None:
        """Leave the group; bounded, as aiokafka's own stop can hang (its issue 773)."""
        self._closed.set()
        self._nothing_in_hand.set()
        if self._committer is not None:
            _, pending = await asyncio.wait([self._committer], timeout=2.0)
            for task in pending:
                task.cancel()
        await self._drop_consumer()

    async def _connected(self) -> Any:
        stamp = self._access.stamp()
        if self._consumer is not None and stamp != self._stamp:
            await self._replace("its credentials have changed")
        if self._consumer is not None:
            return self._consumer
        self._stamp = stamp
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap_servers,
            group_id=self._group,
            group_instance_id=self._group_instance_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            partition_assignment_strategy=(RangePartitionAssignor,),
            fetch_max_bytes=8 * 1024 * 1024,
            max_partition_fetch_bytes=1024 * 1024,
            metadata_max_age_ms=30_000,
            request_timeout_ms=20_000,
            **self._access.options(),
        )
        consumer.subscribe(self._topics, listener=_Listener(self, consumer))
        self._consumer = consumer
        async with explained(self._bootstrap_servers, self._access), asyncio.timeout(15.0):
            await consumer.start()
        self._note_progress(asyncio.get_running_loop().time())
        return consumer

    async def _fetch(self, consumer: Any, max_records: int, timeout: float) -> dict[TopicPartition, list[StoredRecord]]:
        # getmany waits without bound for a rebalance that is under way. It hands records out without
        # awaiting anything after it has taken them, so this timeout cannot lose any.
        try:
            async with asyncio.timeout(timeout + _SLICE):
                found = await consumer.getmany(timeout_ms=round(timeout * 1000), max_records=max_records)
        except TimeoutError:
            return {}
        batch: dict[TopicPartition, list[StoredRecord]] = {}
        for (topic, partition), messages in found.items():
            tp = TopicPartition(topic, partition)
            # Not placed yet: what came is from where Kafka's own position stood. The seek will undo it.
            if tp in self._next:
                fresh = [_stored(tp, message) for message in messages if message.offset >= self._next[tp]]
                if fresh:
                    batch[tp] = fresh
                    self._next[tp] = fresh[-1].offset + 1
        return batch

    async def _place(self, consumer: Any) -> None:
        """Seek new partitions to the consumer's own positions; until then nothing of them is handed out."""
        placing = self._unplaced
        stored = await self._positions.load(self._group, placing)
        replaced = await self._replaced(consumer, stored)
        if replaced is None or self._unplaced is not placing:
            return  # the broker did not answer, or a rebalance came in between: they are placed in the next round
        for tp in placing:
            offset = 0 if tp in replaced else stored.get(tp, 0)
            try:
                consumer.seek(KafkaTopicPartition(tp.topic, tp.partition), offset)
            except IllegalStateError:
                continue
            self._next[tp] = offset
        self._unplaced = frozenset()
        self._note_progress(asyncio.get_running_loop().time(), patience=False)
        logger.info("Group %s reads %d partitions", self._group, len(self._next))

    async def _replaced(self, consumer: Any, stored: Mapping[TopicPartition, int]) -> set[TopicPartition] | None:
        """Partitions that end before their position: what they hold now is all unread. None if it cannot be told."""
        beyond = {tp for tp, offset in stored.items() if offset > 0}
        for attempt in range(2):
            if not beyond:
                break
            if attempt:
                await self._sleep(_LOOK_AGAIN)  # a new leader may not know yet how far its partition goes
            try:
                async with asyncio.timeout(_CLOSE_WITHIN):
                    found = await consumer.end_offsets([KafkaTopicPartition(tp.topic, tp.partition) for tp in beyond])
            except _FAILURES as error:
                logger.warning("Group %s could not be placed yet: %r", self._group, error)
                return None
            ends = {TopicPartition(topic, partition): end for (topic, partition), end in found.items()}
            beyond = {tp for tp in beyond if stored[tp] > ends[tp]}
        for tp in beyond:
            logger.error(REPLACED, self._group, stored[tp], tp.topic, tp.partition, ends[tp])
        return beyond

    async def _stalled(self, consumer: Any, now: float) -> bool:
        """True if there is something to read, or nothing assigned, and no progress for too long."""
        if now - self._progress_at < self._patience:
            return False
        self._progress_at = now
        if not self._next:
            self._patience = min(self._patience * 2, _PATIENCE_MOST)  # may just be a spare member
            return True
        ends = await consumer.end_offsets([KafkaTopicPartition(tp.topic, tp.partition) for tp in self._next])
        for (topic, partition), end in ends.items():
            position = self._next.get(TopicPartition(topic, partition), end)
            if position < end and await self._client_position(consumer, topic, partition) < end:
                self._patience = min(self._patience * 2, _PATIENCE_MOST)
                return True
        return False

    async def _client_position(self, consumer: Any, topic: str, partition: int) -> int:
        """Where the client stands; ahead of ours where compaction has removed the newest records we missed."""
        async with asyncio.timeout(5.0):
            return int(await consumer.position(KafkaTopicPartition(topic, partition)))

    def _note_progress(self, now: float, *, patience: bool = True) -> None:
        self._progress_at = now
        if patience:
            self._patience = self._stall_after

    def _on_revoked(self, consumer: Any) -> None:
        if consumer is self._consumer:
            self._next.clear()
            self._unplaced = frozenset()

    def _on_assigned(self, consumer: Any, assigned: frozenset[TopicPartition]) -> None:
        if consumer is self._consumer:
            self._next.clear()
            self._unplaced = assigned

    async def _handed_back(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_HAND_OVER_WITHIN):
                await self._nothing_in_hand.wait()

    async def _replace(self, reason: str) -> None:
        if self._fault.is_news(reason):
            logger.warning("The Kafka client of group %s is replaced: %s", self._group, reason)
        await self._drop_consumer()

    async def _drop_consumer(self) -> None:
        consumer, self._consumer = self._consumer, None
        self._next.clear()
        self._unplaced = frozenset()
        if consumer is None:
            return
        stopping = asyncio.create_task(consumer.stop(), name=f"kafka-stop-{self._group}")
        _, pending = await asyncio.wait([stopping], timeout=_CLOSE_WITHIN)
        if pending:
            logger.warning("The Kafka client of group %s did not stop in %.0f s", self._group, _CLOSE_WITHIN)
            stopping.cancel()
            await asyncio.wait([stopping], timeout=1.0)
        elif not stopping.cancelled() and stopping.exception() is not None:
            logger.info("The Kafka client of group %s stopped with %r", self._group, stopping.exception())

    async def _commit_pending(self) -> None:
        while self._to_commit and self._consumer is not None:
            positions, self._to_commit = self._to_commit, {}
            offsets = {
                KafkaTopicPartition(tp.topic, tp.partition): offset
                for tp, offset in positions.items()
                if tp in self._next
            }
            if not offsets:
                continue
            try:
                async with asyncio.timeout(_CLOSE_WITHIN):
                    await self._consumer.commit(offsets)
            except _FAILURES as error:
                logger.warning("Group %s could not report its position: %r", self._group, error)
            await self._sleep(COMMIT_SECONDS)

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closed.wait()


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # its base is untyped
    """Tells the subscription of one client; a client that was replaced meanwhile is not heard any more."""

    def __init__(self, subscription: KafkaSubscription, consumer: Any) -> None:
        self._subscription = subscription
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: object) -> None:  # noqa: ARG002  # all of them, always
        await self._subscription._handed_back()  # one unit, in two classes for the client's sake
        self._subscription._on_revoked(self._consumer)

    async def on_partitions_assigned(self, assigned: set[Any]) -> None:
        partitions = frozenset(TopicPartition(tp.topic, tp.partition) for tp in assigned)
        self._subscription._on_assigned(self._consumer, partitions)


def _reason(error: BaseException) -> str:
    if isinstance(error, tuple(FORBIDDEN)):
        return str(forbidden(error))
    return str(error) if isinstance(error, Unavailable) else repr(error)


def _stored(tp: TopicPartition, message: Any) -> StoredRecord:
    return StoredRecord(
        topic=tp.topic,
        partition=tp.partition,
        offset=message.offset,
        key=(message.key or b"").decode(errors="replace"),
        value=message.value,
        headers=MappingProxyType({name: (text or b"").decode(errors="replace") for name, text in message.headers}),
        timestamp=datetime.fromtimestamp(message.timestamp / 1000, UTC),
    )
