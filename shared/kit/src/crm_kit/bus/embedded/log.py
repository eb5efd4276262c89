"""Publishing to the embedded log, its topics and its lag."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from zlib import crc32

import asyncpg
import orjson

from crm_kit.bus.embedded.compaction import Compaction
from crm_kit.bus.embedded.connection import (
    COMMAND_TIMEOUT,
    CONNECT_TIMEOUT,
    FAILURES,
    SESSION,
    Connection,
    Pool,
    translated,
)
from crm_kit.bus.embedded.reader import Readers
from crm_kit.bus.embedded.schema import ensure_schema
from crm_kit.bus.embedded.subscription import EmbeddedSubscription
from crm_kit.bus.embedded.wakeup import announce
from crm_kit.bus.port import (
    FORGET_EARLIER,
    CompactionPolicy,
    Lag,
    Positions,
    PublishFailed,
    Record,
    TopicPartition,
    TopicSpec,
    Unavailable,
    record_size,
    require_fitting,
)

logger = logging.getLogger(__name__)

_CHUNK_RECORDS = 5_000
_CHUNK_BYTES = 16_000_000

# One statement, one transaction, one round trip. The partitions' rows are locked in key order (no deadlock) until the
# commit, so offsets of a partition become visible in their order and without gaps: a reader that has seen
# offset n will never be shown a smaller one later.
_PUBLISH = """
with wanted as (
    select * from unnest($1::text[], $2::int[], $3::int[]) as w (topic, partition, n)
), locked as materialized (
    select p.topic, p.partition, w.n from topic_partition p join wanted w using (topic, partition)
    order by p.topic, p.partition for update of p
), taken as (
    update topic_partition p set next_offset = p.next_offset + l.n from locked l
    where p.topic = l.topic and p.partition = l.partition
    returning p.topic, p.partition, p.next_offset - l.n as first
)
insert into record (topic, partition, "offset", key, value, headers, at)
select t.topic, t.partition, t.first + i.nth, i.key, i.value, i.headers::jsonb, clock_timestamp()
from unnest($4::text[], $5::int[], $6::int[], $7::text[], $8::bytea[], $9::text[])
    as i (topic, partition, nth, key, value, headers)
join taken t on t.topic = i.topic and t.partition = i.partition
"""

# Not in the statement above, which would not see the records that it stores itself. Who dies in between publishes again.
_FORGET_EARLIER = """
delete from record r using (
    select topic, partition, key, max("offset") as "offset" from record
    join unnest($1::text[], $2::int[], $3::text[]) as f (topic, partition, key) using (topic, partition, key)
    group by topic, partition, key
) newest
where r.topic = newest.topic and r.partition = newest.partition and r.key = newest.key and r."offset" < newest."offset"
"""

_LAG = """
select p.topic, p.partition, p.next_offset, coalesce(s.next_offset, 0) as position
from topic_partition p left join position s on s.grp = $1 and s.topic = p.topic and s.partition = p.partition
where p.topic = any($2::text[])
"""


class EmbeddedEventLog:
    """An `EventLog` in a PostgreSQL database of its own."""

    def __init__(
        self, url: str, *, compaction: CompactionPolicy | None = None, compaction_interval: float = 60.0
    ) -> None:
        """`compaction_interval`: seconds between two runs in the background; 0 for none (then call `compact`)."""
        self._url = url
        self._policy = compaction or CompactionPolicy()
        self._compaction_interval = compaction_interval
        self._pool: Pool | None = None
        self._readers = Readers(url)
        self._partitions: dict[str, int] = {}
        self._to_announce: set[str] = set()
        self._announcer: asyncio.Task[None] | None = None
        self._compactor: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect and create the tables if they are missing. Raises Unavailable."""
        if self._pool is not None:
            return
        with translated():
            # asyncpg's own minimum of ten connections would cost a hundred megabytes per process in the server.
            self._pool = await asyncpg.create_pool(
                self._url,
                min_size=0,
                max_size=4,
                timeout=CONNECT_TIMEOUT,
                command_timeout=COMMAND_TIMEOUT,
                max_inactive_connection_lifetime=60.0,
                server_settings=SESSION,
                reset=_leave,
            )
            try:
                async with self._pool.acquire() as connection:
                    await ensure_schema(connection)
            except BaseException:
                await self.close()
                raise
        if self._compaction_interval > 0:
            self._compactor = asyncio.create_task(self._compact_periodically(), name="event-log-compaction")

    async def close(self) -> None:
        """Close the connections, within some seconds."""
        tasks = [task for task in (self._compactor, self._announcer) if task is not None]
        if self._compactor is not None:
            self._compactor.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=2.0)
        self._compactor = self._announcer = None
        pool, self._pool = self._pool, None
        if pool is not None:
            try:
                await asyncio.wait_for(pool.close(), timeout=5.0)
            except FAILURES:
                pool.terminate()

    async def ensure_topics(self, topics: Iterable[TopicSpec]) -> None:
        """Create the topics that do not exist yet; a topic keeps the number of partitions it was made with."""
        specs = sorted(topics, key=lambda spec: spec.name)
        with translated():
            async with self._open_pool().acquire() as connection, connection.transaction():
                for spec in specs:
                    made = await connection.fetchval(
                        "insert into topic values ($1, $2, $3) on conflict do nothing returning true",
                        spec.name,
                        spec.partitions,
                        spec.compacted,
                    )
                    if made:
                        await connection.execute(
                            "insert into topic_partition (topic, partition) select $1, generate_series(0, $2::int - 1)",
                            spec.name,
                            spec.partitions,
                        )
        await self._load_partitions([spec.name for spec in specs])

    async def publish(self, records: Sequence[Record]) -> None:
        """Store records durably; each run of up to 5,000 of them is one transaction."""
        require_fitting(records)
        missing = {record.topic for record in records} - self._partitions.keys()
        if missing:
            await self._load_partitions(sorted(missing))
            for topic in missing - self._partitions.keys():
                raise PublishFailed(f"Topic {topic!r} does not exist; create it with ensure_topics first.")
        for chunk in _chunks(records):
            arguments = _arguments(chunk, self._partitions)
            with translated():
                status = await self._open_pool().execute(_PUBLISH, *arguments)
            if status != f"INSERT 0 {len(chunk)}":
                raise PublishFailed(f"The embedded event log stored {status!r} of {len(chunk)} records.")
            await self._forget_earlier([record for record in chunk if FORGET_EARLIER in record.headers])
            self._announce({record.topic for record in chunk})

    async def _forget_earlier(self, records: Sequence[Record]) -> None:
        if not records:
            return
        keys = {(each.topic, _partition_of(each.key, self._partitions[each.topic]), each.key) for each in records}
        with translated():
            async with self._open_pool().acquire() as connection, connection.transaction():
                await connection.execute("set local plan_cache_mode = force_custom_plan")
                await connection.execute(_FORGET_EARLIER, *map(list, zip(*sorted(keys), strict=True)))

    async def subscribe(self, group: str, topics: Sequence[str], positions: Positions) -> EmbeddedSubscription:
        """A member of `group`; it connects at its first poll."""
        self._open_pool()
        return EmbeddedSubscription(self._readers.of(group), group, topics, positions)

    async def lag(self, group: str, topics: Sequence[str]) -> Mapping[TopicPartition, Lag]:
        """End and position of every partition of `topics`."""
        with translated():
            rows = await self._open_pool().fetch(_LAG, group, list(topics))
        return {
            TopicPartition(row["topic"], row["partition"]): Lag(row["next_offset"], row["position"]) for row in rows
        }

    async def compact(self) -> int:
        """Remove what the policy allows to; returns how many records. 0 if another process is at it."""
        with translated():
            async with self._open_pool().acquire() as connection:
                return await Compaction(connection, self._policy).run()

    def _open_pool(self) -> Pool:
        if self._pool is None:
            raise Unavailable("The embedded event log is not started.")
        return self._pool

    async def _load_partitions(self, topics: Sequence[str]) -> None:
        with translated():
            rows = await self._open_pool().fetch(
                "select name, partitions from topic where name = any($1::text[])", list(topics)
            )
        self._partitions.update((row["name"], row["partitions"]) for row in rows)

    def _announce(self, topics: set[str]) -> None:
        self._to_announce |= topics
        if self._announcer is None or self._announcer.done():
            self._announcer = asyncio.create_task(self._announce_pending(), name="event-log-announcer")

    async def _announce_pending(self) -> None:
        while self._to_announce and self._pool is not None:
            topics, self._to_announce = self._to_announce, set()
            # Readers look by themselves every second, so a lost announcement costs latency and nothing else.
            with contextlib.suppress(*FAILURES):
                async with self._pool.acquire() as connection:
                    await announce(connection, topics=topics)

    async def _compact_periodically(self) -> None:
        while True:
            await asyncio.sleep(self._compaction_interval)
            try:
                await self.compact()
            except (Unavailable, PublishFailed) as error:
                logger.warning("Compaction of the embedded event log failed, will try again: %s", error)


async def _leave(_connection: Connection) -> None:
    """Nothing to reset: whatever runs on these connections ends with its transaction, compaction's lock with itself."""


def _chunks(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    start, size = 0, 0
    for index, record in enumerate(records):
        size += record_size(record)
        if index > start and (index - start >= _CHUNK_RECORDS or size > _CHUNK_BYTES):
            yield records[start:index]
            start, size = index, record_size(record)
    if start < len(records):
        yield records[start:]


def _partition_of(key: str, partitions: int) -> int:
    return crc32(key.encode()) % partitions


def _arguments(records: Sequence[Record], partitions: Mapping[str, int]) -> tuple[list[object], ...]:
    counts: Counter[tuple[str, int]] = Counter()
    chosen: list[int] = []
    nth: list[int] = []
    for record in records:
        partition = _partition_of(record.key, partitions[record.topic])
        chosen.append(partition)
        nth.append(counts[record.topic, partition])
        counts[record.topic, partition] += 1
    return (
        [topic for topic, _ in counts],
        [partition for _, partition in counts],
        list(counts.values()),
        [record.topic for record in records],
        list(chosen),
        list(nth),
        [record.key for record in records],
        [record.value for record in records],
        [orjson.dumps(dict(record.headers)).decode() for record in records],
    )
