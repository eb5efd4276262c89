"""aiokafka's errors as the port's."""

from collections.abc import Iterator
from contextlib import contextmanager

from aiokafka.errors import (  # type: ignore[import-untyped]  # aiokafka ships no types
    InvalidPartitionsError,
    InvalidReplicationFactorError,
    InvalidTopicError,
    KafkaError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from crm_kit.bus.port import EventLogError, PublishFailed, Unavailable

_PERMANENT = (
    InvalidPartitionsError,
    InvalidReplicationFactorError,
    InvalidTopicError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)


@contextmanager
def translated() -> Iterator[None]:
    """Raise the port's errors in place of aiokafka's."""
    try:
        yield
    except EventLogError:
        raise
    except _PERMANENT as error:
        raise PublishFailed(f"Kafka refused: {error or type(error).__name__}") from error
    except (KafkaError, OSError, TimeoutError) as error:
        raise Unavailable(f"Kafka is not available: {error or type(error).__name__}") from error
