"""The event log on Apache Kafka. Nothing outside this package imports aiokafka."""

from crm_kit.bus.kafka.log import KafkaEventLog

__all__ = ["KafkaEventLog"]
