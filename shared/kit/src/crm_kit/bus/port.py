"""The event log as the rest of the system sees it: an ordered, partitioned, durable log of records.

Two adapters implement this port, `crm_kit.bus.embedded` (PostgreSQL) and `crm_kit.bus.kafka` (Apache Kafka); one
behaviour suite (`crm_testkit.event_log_suite`) holds for both. What it promises, and no more:

- records of one key are read in the order in which they were published (same key → same partition → one order);
- a record that `publish` acknowledged is delivered to every group at least once, whatever is killed, unless
  compaction removed it in favour of a newer record of the same key;
- where a group stands is the consumer's own affair (`Positions`): it stores its position together with its effect.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar, Protocol

DEFAULT_PARTITIONS = 12
"""Partitions of a topic. Part of the contract: raising it later moves keys to other partitions."""

MAX_RECORD_BYTES = 1_000_000
"""Largest record, as `record_size` counts it; just under Kafka's own default limit of 1,048,588 for a batch."""


COMMIT_SECONDS = 0.2
"""A subscription tells the log where its group stands no more often: it costs as much as a small batch does."""


REPLACED = (
    "Group %s stands at %d of %s/%d, which ends at %d: that log was lost or replaced; it is read from its beginning"
)


FORGET_EARLIER = "ce_erased"
"""A record with this header, whatever it says, makes the log forget the earlier ones of its key: the embedded log at once, Kafka
by its compaction (`CompactionPolicy.max_age`)."""


class EventLogError(Exception):
    """Root of the errors of an event log.

    EventLogError
    ├── PublishFailed        refused for good: repeating the same call fails again
    │   └── RecordTooLarge   one record exceeds MAX_RECORD_BYTES; nothing of the call was sent
    └── Unavailable          the log cannot be reached now: repeat the call; some of it may have been stored
        └── AccessRefused    it was reached and does not let us in, or not to this topic: somebody has to mend that
    """

    transient: ClassVar[bool] = False


class PublishFailed(EventLogError):
    """The log refused a record for good (unknown topic, unstorable text)."""


class RecordTooLarge(PublishFailed):
    """A record exceeds MAX_RECORD_BYTES. None of the call's records was sent."""

    def __init__(self, record: "Record", size: int, limit: int = MAX_RECORD_BYTES) -> None:
        super().__init__(
            f"The record with key {record.key!r} for topic {record.topic!r} has {size:,} bytes; "
            f"the event log takes {limit:,} at most."
        )
        self.record = record
        self.size = size
        self.limit = limit


class Unavailable(EventLogError):
    """The log cannot be reached at present. Transient: try again; publishing again may store records twice."""

    transient: ClassVar[bool] = True


class AccessRefused(Unavailable):
    """The log was reached, and refuses: a wrong password or certificate, a right that is missing.

    Transient, since credentials are rotated and rights are given while processes run.
    """


@dataclass(frozen=True, slots=True)
class TopicPartition:
    """One ordered part of a topic."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Record:
    """What is published. `value` None is a tombstone: compaction may forget the key."""

    topic: str
    key: str
    value: bytes | None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as it is read back. `timestamp` is when the log stored it, in UTC."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes | None
    headers: Mapping[str, str]
    timestamp: datetime

    @property
    def topic_partition(self) -> TopicPartition:
        """The partition it stands in."""
        return TopicPartition(self.topic, self.partition)


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic to have. A compacted topic keeps at least the newest record of each key, for ever."""

    name: str
    partitions: int = DEFAULT_PARTITIONS
    compacted: bool = True


@dataclass(frozen=True, slots=True)
class CompactionPolicy:
    """When a compacted topic may forget.

    `min_age`: younger records are neither removed nor make older ones removable.
    `max_age`: an older record that has a newer one of its key is gone soon after (the bound for erasure).
    `tombstone_retention`: how long a tombstone stays readable, so that a consumer that was away still sees it.
    """

    min_age: timedelta = timedelta(minutes=5)
    max_age: timedelta = timedelta(hours=24)
    tombstone_retention: timedelta = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a group is: `end` is the offset the next record gets, `position` the next one the group reads."""

    end: int
    position: int

    @property
    def behind(self) -> int:
        """Offsets between the group and the end; an upper bound of unread records, as compaction leaves gaps."""
        return max(0, self.end - self.position)


class Positions(Protocol):
    """Where a group stands, stored by the consumer beside its effects."""

    async def load(self, group: str, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The next offset to read of each partition; a partition that is missing is read from its beginning."""
        ...


class Subscription(Protocol):
    """One member of a group. Use it from one task; `close` may come from another.

    Partitions are given up to other members only inside `poll`: whoever calls `poll` again has finished, or
    given up, what the previous call returned. (An adapter may stop waiting for that after some seconds, which is
    why positions must be fenced where they are stored.)
    """

    @property
    def assigned(self) -> frozenset[TopicPartition]:
        """The partitions that this member reads at present."""
        ...

    async def poll(self, max_records: int, timeout: float) -> Mapping[TopicPartition, Sequence[StoredRecord]]:
        """The next records, at most `max_records` in all, waiting up to `timeout` seconds for the first.

        Empty when nothing came, when no partition is assigned, or while the log cannot be reached (it reconnects
        by itself). Offsets of one partition rise, with gaps where compaction was. Errors of `Positions.load` pass through.
        """
        ...

    async def seek(self, tp: TopicPartition, offset: int) -> None:
        """Read `tp` from `offset` on; without effect if it is not assigned any more."""
        ...

    async def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """Tell the log where the group stands, for lag metrics only; never raises, and is delayed by up to COMMIT_SECONDS."""
        ...

    async def close(self) -> None:
        """Leave the group. Returns within a bounded time, whatever state the log is in."""
        ...


class EventLog(Protocol):
    """An ordered, partitioned, durable log."""

    async def start(self) -> None:
        """Connect. Raises Unavailable if the log cannot be reached."""
        ...

    async def close(self) -> None:
        """Release everything. Subscriptions are closed by whoever opened them, before."""
        ...

    async def ensure_topics(self, topics: Iterable[TopicSpec]) -> None:
        """Create the topics that do not exist yet. Safe to call from several processes at once."""
        ...

    async def publish(self, records: Sequence[Record]) -> None:
        """Store records; returns when all are durable. Order is kept per key.

        Raises RecordTooLarge, PublishFailed or Unavailable; after the last two, some may have been stored.
        """
        ...

    async def subscribe(self, group: str, topics: Sequence[str], positions: Positions) -> Subscription:
        """Join `group` for `topics`. All members of a group should subscribe to the same topics.

        A stored position behind the end of its partition is one of another log, which was lost or replaced: the
        partition is read from its beginning, and an error says so.
        """
        ...

    async def lag(self, group: str, topics: Sequence[str]) -> Mapping[TopicPartition, Lag]:
        """How far `group` is, for every partition of `topics`, as of its last `Subscription.commit`."""
        ...


def record_size(record: Record) -> int:
    """Bytes of a record: key, value and headers in UTF-8, and ten for each header's framing."""
    size = len(record.key.encode()) + len(record.value or b"")
    return size + sum(len(name.encode()) + len(text.encode()) + 10 for name, text in record.headers.items())


def require_fitting(records: Sequence[Record]) -> None:
    """Raise RecordTooLarge, or PublishFailed for lone surrogates, before anything is sent."""
    for record in records:
        try:
            size = record_size(record)
        except UnicodeEncodeError as error:
            raise PublishFailed(f"The record with key {record.key!r} holds text that is not Unicode.") from error
        if size > MAX_RECORD_BYTES:
            raise RecordTooLarge(record, size)
