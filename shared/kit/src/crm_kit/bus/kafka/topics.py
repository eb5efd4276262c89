"""Topics on Kafka: creating them as the port's TopicSpec means, and asking how long they are."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer  # type: ignore[import-untyped]  # aiokafka ships no types
from aiokafka import TopicPartition as KafkaTopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # type: ignore[import-untyped]  # as above
from aiokafka.admin.config_resource import (  # type: ignore[import-untyped]  # as above
    ConfigResource,
    ConfigResourceType,
)
from aiokafka.errors import TopicAuthorizationFailedError  # type: ignore[import-untyped]  # as above

from crm_kit.bus.access import KafkaAccess
from crm_kit.bus.kafka.errors import forbidden, translated
from crm_kit.bus.kafka.explaining import explained
from crm_kit.bus.port import (
    AccessRefused,
    CompactionPolicy,
    EventLogError,
    Lag,
    PublishFailed,
    TopicPartition,
    TopicSpec,
    Unavailable,
)

logger = logging.getLogger(__name__)

_NO_ERROR, _FORBIDDEN, _ALREADY_EXISTS = 0, 29, 36
_VISIBLE_WITHIN = 15.0
"""Seconds for a new topic's partitions to have leaders on all brokers asked."""


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the brokers have it. `replication`: the fewest copies of any of its partitions."""

    partitions: int
    replication: int
    leaderless: bool
    config: Mapping[str, str]


class KafkaTopics:
    """The administrative side of the adapter; its connections are made at first use."""

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        access: KafkaAccess,
        replication_factor: int,
        create: bool,
        compaction: CompactionPolicy,
    ) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._access = access
        self._create = create
        self._replication_factor = replication_factor
        self._compaction = compaction
        self._admin: Any = None
        self._reader: Any = None
        self._stamp: tuple[object, ...] = ()
        self._using = asyncio.Lock()

    async def ensure(self, topics: Iterable[TopicSpec]) -> None:
        """Create the topics that do not exist; returns when all can be written."""
        specs = list(topics)
        async with self._client():
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
            if code == _FORBIDDEN:
                raise AccessRefused(
                    f"Kafka does not let this user create the topic {topic}: have it created, and set KAFKA_CREATE_TOPICS=false"
                )
            if code not in {_NO_ERROR, _ALREADY_EXISTS}:
                raise PublishFailed(f"Kafka refused to create topic {topic!r}: {message or code}")

    async def lag(self, group: str, topics: Sequence[str]) -> dict[TopicPartition, Lag]:
        """End and committed position of every partition; where nothing was committed, the first offset."""
        async with self._client():
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

    async def describe(self, topics: Sequence[str]) -> dict[str, TopicState]:
        """Those of them that exist."""
        async with self._client():
            with translated():
                admin = await self._connected_admin()
                described = await admin.describe_topics(list(topics))
                if barred := sorted(entry["topic"] for entry in described if entry["error_code"] == _FORBIDDEN):
                    raise forbidden(TopicAuthorizationFailedError(barred))
                found = {entry["topic"]: entry["partitions"] for entry in described if entry["partitions"]}
                configs = await self._configs(admin, list(found))
        return {
            name: TopicState(
                len(parts),
                min(len(part["replicas"]) for part in parts),
                any(part["leader"] < 0 for part in parts),
                configs.get(name, {}),
            )
            for name, parts in found.items()
        }

    async def _configs(self, admin: Any, topics: Sequence[str]) -> dict[str, dict[str, str]]:
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics]
        responses = await admin.describe_configs(resources) if resources else []
        return {
            resource[3]: {entry[0]: entry[1] for entry in resource[4]}
            for response in responses
            for resource in response.resources
        }

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[None]:
        """One call at a time; after one that failed, or when credentials have changed, the next connects anew."""
        async with self._using:
            stamp = self._access.stamp()
            if stamp != self._stamp:
                await self.close()
            self._stamp = stamp
            try:
                yield
            except EventLogError:
                await self.close()
                raise

    async def close(self) -> None:
        """Close both connections, within some seconds."""
        clients = [(self._admin, "close"), (self._reader, "stop")]
        self._admin = self._reader = None
        for client, method in clients:
            if client is not None:
                await asyncio.wait([asyncio.create_task(getattr(client, method)())], timeout=3.0)

    def _new_topic(self, spec: TopicSpec) -> Any:
        settings = dict(topic_settings(spec, self._compaction))
        return NewTopic(spec.name, spec.partitions, self._replication_factor, topic_configs=settings)

    async def _connected_admin(self) -> Any:
        if self._admin is None:
            admin = AIOKafkaAdminClient(
                bootstrap_servers=self._bootstrap_servers, request_timeout_ms=15_000, **self._access.options()
            )
            try:
                async with explained(self._bootstrap_servers, self._access):
                    await admin.start()
            except BaseException:
                await admin.close()
                raise
            self._admin = admin
        return self._admin

    async def _connected_reader(self) -> Any:
        if self._reader is None:
            reader = AIOKafkaConsumer(
                bootstrap_servers=self._bootstrap_servers, group_id=None, **self._access.options()
            )
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
                    if barred := sorted(entry["topic"] for entry in described if entry["error_code"] == _FORBIDDEN):
                        raise forbidden(TopicAuthorizationFailedError(barred))
                    if all(found.get(topic) and all(part["leader"] >= 0 for part in found[topic]) for topic in wanted):
                        break
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise Unavailable(f"Topics {sorted(wanted)} had no leaders in {_VISIBLE_WITHIN:.0f} s.") from None
        for topic, parts in found.items():
            if len(parts) != wanted[topic]:
                logger.warning("Topic %s has %d partitions, not %d", topic, len(parts), wanted[topic])


def topic_settings(spec: TopicSpec, compaction: CompactionPolicy) -> Mapping[str, str]:
    """Kafka's settings for a topic."""
    config = topic_config(compaction) if spec.compacted else {"cleanup.policy": "delete"}
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
