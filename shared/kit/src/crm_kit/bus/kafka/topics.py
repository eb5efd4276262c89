"""Topics on Kafka: creating them as the port's TopicSpec means, and asking how long they are."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer  # type: ignore[import-untyped]  # aiokafka ships no types
from aiokafka import TopicPartition as KafkaTopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # type: ignore[import-untyped]  # as above

from crm_kit.bus.kafka.errors import translated
from crm_kit.bus.port import CompactionPolicy, Lag, PublishFailed, TopicPartition, TopicSpec, Unavailable

logger = logging.getLogger(__name__)

_NO_ERROR, _ALREADY_EXISTS = 0, 36
_VISIBLE_WITHIN = 15.0
"""Seconds for a new topic's partitions to have leaders on all brokers asked."""


class KafkaTopics:
    """The administrative side of the adapter; its connections are made at first use."""

    def __init__(
        self, bootstrap_servers: str, *, replication_factor: int, create: bool, compaction: CompactionPolicy
    ) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._create = create
        self._replication_factor = replication_factor
        self._compaction = compaction
        self._admin: Any = None
        self._reader: Any = None
        self._using = asyncio.Lock()

    async def ensure(self, topics: Iterable[TopicSpec]) -> None:
        """Create the topics that do not exist; returns when all can be written."""
        specs = list(topics)
        async with self._using:
            with translated():
                admin = await self._connected_admin()
                if self._create:
                    await self._create_missing(admin, specs)
                await self._await_leaders(admin, specs)

    async def _create_missing(self, admin: Any, specs: Sequence[TopicSpec]) -> None:
        try:
            response = await admin.create_topics([self._new_topic(spec) for spec in specs])
        except AttributeError as error:  # how aiokafka says that the brokers have no controller at present
            raise Unavailable("Kafka has no controller at present.") from error
        for topic, code, *message in response.topic_errors:
            if code not in {_NO_ERROR, _ALREADY_EXISTS}:
                raise PublishFailed(f"Kafka refused to create topic {topic!r}: {message or code}")

    async def lag(self, group: str, topics: Sequence[str]) -> dict[TopicPartition, Lag]:
        """End and committed position of every partition; where nothing was committed, the first offset."""
        async with self._using:
            with translated():
                admin = await self._connected_admin()
                reader = await self._connected_reader()
                described = await admin.describe_topics(list(topics))
                partitions = [
                    KafkaTopicPartition(entry["topic"], part["partition"])
                    for entry in described
                    for part in entry["partitions"]
                ]
                if not partitions:
                    return {}
                committed = await admin.list_consumer_group_offsets(group, partitions=partitions)
                ends = await reader.end_offsets(partitions)
                starts = await reader.beginning_offsets(partitions)
        lags = {}
        for tp in partitions:
            position = committed[tp].offset if tp in committed else -1
            lags[TopicPartition(*tp)] = Lag(ends[tp], position if position >= 0 else starts[tp])
        return lags

    async def close(self) -> None:
        """Close both connections, within some seconds."""
        clients = [(self._admin, "close"), (self._reader, "stop")]
        self._admin = self._reader = None
        for client, method in clients:
            if client is not None:
                await asyncio.wait([asyncio.create_task(getattr(client, method)())], timeout=3.0)

    def _new_topic(self, spec: TopicSpec) -> Any:
        config = topic_settings(self._compaction if spec.compacted else None)
        return NewTopic(spec.name, spec.partitions, self._replication_factor, topic_configs=config)

    async def _connected_admin(self) -> Any:
        if self._admin is None:
            admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap_servers, request_timeout_ms=15_000)
            try:
                await admin.start()
            except BaseException:
                await admin.close()
                raise
            self._admin = admin
        return self._admin

    async def _connected_reader(self) -> Any:
        if self._reader is None:
            reader = AIOKafkaConsumer(bootstrap_servers=self._bootstrap_servers, group_id=None)
            try:
                await reader.start()
            except BaseException:
                await reader.stop()
                raise
            self._reader = reader
        return self._reader

    async def _await_leaders(self, admin: Any, specs: Sequence[TopicSpec]) -> None:
        wanted = {spec.name: spec.partitions for spec in specs}
        try:
            async with asyncio.timeout(_VISIBLE_WITHIN):
                while True:
                    described = await admin.describe_topics(list(wanted))
                    found = {entry["topic"]: entry["partitions"] for entry in described}
                    if all(found.get(topic) and all(part["leader"] >= 0 for part in found[topic]) for topic in wanted):
                        break
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise Unavailable(f"Topics {sorted(wanted)} had no leaders in {_VISIBLE_WITHIN:.0f} s.") from None
        for topic, parts in found.items():
            if len(parts) != wanted[topic]:
                logger.warning("Topic %s has %d partitions, not %d", topic, len(parts), wanted[topic])


def topic_settings(compaction: CompactionPolicy | None) -> dict[str, str]:
    """Kafka's settings of a topic that is compacted under this policy, or not at all."""
    config = topic_config(compaction) if compaction is not None else {"cleanup.policy": "delete"}
    # The broker's clock: it refuses records from a producer whose own is an hour ahead, and compacts by these times.
    return {**config, "message.timestamp.type": "LogAppendTime"}


def topic_config(compaction: CompactionPolicy) -> Mapping[str, str]:
    """Kafka's settings for a compacted topic under this policy."""
    return {
        "cleanup.policy": "compact",
        "min.compaction.lag.ms": _milliseconds(compaction.min_age),
        # Also makes Kafka roll the active segment, which it never compacts: without it a quiet topic keeps everything.
        "max.compaction.lag.ms": _milliseconds(compaction.max_age),
        "delete.retention.ms": _milliseconds(compaction.tombstone_retention),
    }


def _milliseconds(span: timedelta) -> str:
    return str(max(1, round(span / timedelta(milliseconds=1))))
