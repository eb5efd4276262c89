"""Publishing to Kafka."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from crm_kit.bus.access import KafkaAccess
from crm_kit.bus.kafka.errors import translated
from crm_kit.bus.kafka.explaining import explained
from crm_kit.bus.kafka.producer import Producer
from crm_kit.bus.kafka.subscription import KafkaSubscription
from crm_kit.bus.kafka.topics import KafkaTopics, TopicState
from crm_kit.bus.port import (
    CompactionPolicy,
    Lag,
    Positions,
    Record,
    TopicPartition,
    TopicSpec,
    Unavailable,
    require_fitting,
)


class KafkaEventLog:
    """An `EventLog` on Apache Kafka 3.x or 4.x.

    Keys choose partitions by murmur2, as Java clients do; librdkafka's clients need
    `partitioner=murmur2_random`.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        access: KafkaAccess | None = None,
        replication_factor: int = 1,
        create_topics: bool = True,
        compaction: CompactionPolicy | None = None,
        group_instance_id: str | None = None,
        acknowledged_within: float = 15.0,
    ) -> None:
        """`access`: how the two prove themselves; without it in clear, to brokers that ask for nothing.

        `create_topics`: False where somebody else creates them; `ensure_topics` then only waits for them.

        `acknowledged_within`: seconds after which `publish` gives up with Unavailable.
        `group_instance_id`: a name for this process that survives its restart (static membership); two processes
        that run at the same time must not share it.
        """
        self._bootstrap_servers = bootstrap_servers
        self._access = access or KafkaAccess()
        self._group_instance_id = group_instance_id
        self._acknowledged_within = acknowledged_within
        self._topics = KafkaTopics(
            bootstrap_servers,
            access=self._access,
            replication_factor=replication_factor,
            create=create_topics,
            compaction=compaction or CompactionPolicy(),
        )
        self._producer: Producer | None = None
        self._stamp: tuple[object, ...] = ()
        self._starting = asyncio.Lock()
        self._started = False

    async def start(self) -> None:
        """Connect the producer. Raises Unavailable if no broker answers."""
        self._started = True
        await self._open_producer()

    async def close(self) -> None:
        """Release the connections, within some seconds."""
        self._started = False
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()
        await self._topics.close()

    async def ensure_topics(self, topics: Iterable[TopicSpec]) -> None:
        """Create the topics that do not exist yet; returns when they can be written."""
        await self._topics.ensure(topics)

    async def publish(self, records: Sequence[Record]) -> None:
        """Send in order and await the acknowledgement of all in-sync replicas for every record."""
        require_fitting(records)
        if records:
            producer = await self._open_producer()
            with translated():
                await producer.send(records)

    async def subscribe(self, group: str, topics: Sequence[str], positions: Positions) -> KafkaSubscription:
        """A member of `group`; it connects at its first poll."""
        return KafkaSubscription(
            self._bootstrap_servers,
            group,
            topics,
            positions,
            access=self._access,
            group_instance_id=self._group_instance_id,
        )

    async def lag(self, group: str, topics: Sequence[str]) -> Mapping[TopicPartition, Lag]:
        """End and committed position of every partition of `topics`."""
        return await self._topics.lag(group, topics)

    async def describe(self, topics: Iterable[str]) -> Mapping[str, TopicState]:
        """Those of them that exist, as they are."""
        return await self._topics.describe(list(topics))

    async def _open_producer(self) -> Producer:
        async with self._starting:
            if not self._started:
                raise Unavailable("The event log is not started.")
            stamp = self._access.stamp()
            producer = self._producer
            if producer is None or not producer.usable or stamp != self._stamp:
                self._producer, self._stamp = None, stamp
                if producer is not None:
                    await producer.stop()
                with translated():
                    producer = Producer(
                        self._bootstrap_servers, access=self._access, acknowledged_within=self._acknowledged_within
                    )
                async with explained(self._bootstrap_servers, self._access):
                    await producer.start()
                self._producer = producer
            return producer
