"""aiokafka's errors as the port's."""

from collections.abc import Iterator
from contextlib import contextmanager

from aiokafka.errors import (  # type: ignore[import-untyped]  # aiokafka ships no types
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    InvalidPartitionsError,
    InvalidReplicationFactorError,
    InvalidTopicError,
    KafkaError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from crm_kit.bus.port import AccessRefused, EventLogError, PublishFailed, Unavailable

_PERMANENT = (
    InvalidPartitionsError,
    InvalidReplicationFactorError,
    InvalidTopicError,
    UnknownTopicOrPartitionError,
)
FORBIDDEN = {
    TopicAuthorizationFailedError: "topic",
    GroupAuthorizationFailedError: "group",
    ClusterAuthorizationFailedError: "cluster, or to write any topic",
}


@contextmanager
def translated() -> Iterator[None]:
    """Raise the port's errors in place of aiokafka's."""
    try:
        yield
    except EventLogError:
        raise
    except _PERMANENT as error:
        raise PublishFailed(f"Kafka refused: {error or type(error).__name__}") from error
    except tuple(FORBIDDEN) as error:
        raise forbidden(error) from error
    except (KafkaError, OSError, TimeoutError) as error:
        raise Unavailable(f"Kafka is not available: {error or type(error).__name__}") from error


def forbidden(error: KafkaError) -> AccessRefused:
    """For a right that this user does not have."""
    named = sorted(str(name) for each in error.args for name in (each if isinstance(each, set | list) else [each]))
    what = FORBIDDEN[type(error)]
    if any(" " in name for name in named):  # a sentence of aiokafka's
        return AccessRefused(f"Kafka gives this user no right to a {what}: {', '.join(named)}")
    return AccessRefused(f"Kafka gives this user no right to the {what} {', '.join(named)}".rstrip())
