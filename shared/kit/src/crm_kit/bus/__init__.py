"""The event log: a small port and its two adapters. Importing this package loads neither adapter."""

from typing import Literal, Protocol

from crm_kit.bus.access import KafkaAccess
from crm_kit.bus.port import (
    DEFAULT_PARTITIONS,
    MAX_RECORD_BYTES,
    AccessRefused,
    CompactionPolicy,
    EventLog,
    EventLogError,
    Lag,
    Positions,
    PublishFailed,
    Record,
    RecordTooLarge,
    StoredRecord,
    Subscription,
    TopicPartition,
    TopicSpec,
    Unavailable,
)

__all__ = [
    "DEFAULT_PARTITIONS",
    "MAX_RECORD_BYTES",
    "AccessRefused",
    "CompactionPolicy",
    "EventLog",
    "EventLogError",
    "EventLogSettings",
    "KafkaAccess",
    "Lag",
    "Positions",
    "PublishFailed",
    "Record",
    "RecordTooLarge",
    "StoredRecord",
    "Subscription",
    "TopicPartition",
    "TopicSpec",
    "Unavailable",
    "open_event_log",
]


class EventLogSettings(Protocol):
    """What `open_event_log` needs to know; any settings object with these attributes will do."""

    @property
    def bus(self) -> Literal["embedded", "kafka"]: ...
    @property
    def event_log_url(self) -> str | None: ...
    @property
    def kafka_bootstrap_servers(self) -> str | None: ...
    @property
    def kafka_replication_factor(self) -> int: ...
    @property
    def kafka_create_topics(self) -> bool: ...
    @property
    def kafka_group_instance_id(self) -> str | None: ...
    def kafka_access(self) -> KafkaAccess: ...


def open_event_log(settings: EventLogSettings) -> EventLog:
    """The adapter that the settings choose, not started yet.

    Raises ValueError if the chosen adapter lacks its address.
    """
    if settings.bus == "kafka":
        if not settings.kafka_bootstrap_servers:
            raise ValueError("BUS=kafka needs KAFKA_BOOTSTRAP_SERVERS (host:port, comma separated).")
        # Imported here: a process on the embedded log should not pay for the Kafka client in memory and start time.
        from crm_kit.bus.kafka import KafkaEventLog

        return KafkaEventLog(
            settings.kafka_bootstrap_servers,
            access=settings.kafka_access(),
            replication_factor=settings.kafka_replication_factor,
            create_topics=settings.kafka_create_topics,
            group_instance_id=settings.kafka_group_instance_id,
        )
    if not settings.event_log_url:
        raise ValueError("BUS=embedded needs EVENT_LOG_URL (postgresql://…).")
    from crm_kit.bus.embedded import EmbeddedEventLog

    return EmbeddedEventLog(settings.event_log_url)
