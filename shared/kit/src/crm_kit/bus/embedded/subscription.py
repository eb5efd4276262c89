"""One member of a group on the embedded log."""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType

import asyncpg
import orjson

from crm_kit.bus.embedded.assignment import assign_ranges, ownership_lock
from crm_kit.bus.embedded.connection import FAILURES, TRANSIENT, Connection
from crm_kit.bus.embedded.reader import Reader
from crm_kit.bus.embedded.wakeup import GROUPS_CHANNEL, RECORDS_CHANNEL, announce
from crm_kit.bus.port import COMMIT_SECONDS, MAX_RECORD_BYTES, REPLACED, Positions, StoredRecord, TopicPartition
from crm_kit.observability.recurring import Recurring

logger = logging.getLogger(__name__)

_LOOK_EVERY = 1.0
"""Seconds after which a poll looks at all partitions, in case a NOTIFY was lost."""
_HEARTBEAT = 3.0
_HUNG_AFTER = timedelta(seconds=30)
"""A member whose session lives but that has not beaten for so long is cut off (a frozen process)."""
_BACKOFF_FIRST, _BACKOFF_MOST = 0.1, 2.0

_FETCH_BYTES = 8_000_000
"""As much as a batch may hold, or one record."""

_FETCH = f"""
select topic, partition, "offset", key, value, headers, at from (
    select r.*, sum(coalesce(octet_length(r.value), 0)) over (rows unbounded preceding) as bytes, row_number() over () as n
    from unnest($1::text[], $2::int[], $3::bigint[]) with ordinality as a (topic, partition, position, turn)
    cross join lateral (
        select * from record r
        where r.topic = a.topic and r.partition = a.partition and r."offset" >= a.position
        order by r.topic, r.partition, r."offset" limit $4
    ) r
    limit $4
) found
where bytes <= {_FETCH_BYTES} or n = 1
"""  # noqa: S608  # a number of ours

_ENDS = """
select p.topic, p.partition, p.next_offset
from topic_partition p join unnest($1::text[], $2::int[]) as a (topic, partition) using (topic, partition)
"""

_JOIN = """
insert into member (grp, topics, pid, backend_start)
select $1, $2::text[], pid, backend_start from pg_stat_get_activity(pg_backend_pid()) returning id
"""

# A member lives as long as the server session that it joined with: no time-out to wait for after a crash.
_ALIVE = """
select m.id, m.topics, m.heartbeat_at < clock_timestamp() - $2::interval as hung, m.pid from member m
where m.grp = $1 and exists (select from pg_stat_get_activity(m.pid) s where s.backend_start = m.backend_start)
"""

_CLEAN = """
delete from member m where m.grp = $1
and not exists (select from pg_stat_get_activity(m.pid) s where s.backend_start = m.backend_start)
"""

_COMMIT = """
insert into position (grp, topic, partition, next_offset)
select $1, * from unnest($2::text[], $3::int[], $4::bigint[])
on conflict (grp, topic, partition) do update set next_offset = excluded.next_offset, at = now()
"""


class EmbeddedSubscription:
    """Reads the partitions whose advisory locks its reader's connection holds.

    Lock and reading share the connection: when it dies, the locks are free at once and nothing can be read with it.
    """

    def __init__(self, reader: Reader, group: str, topics: Sequence[str], positions: Positions) -> None:
        self._reader = reader
        self._group = group
        self._topics = sorted(set(topics))
        self._positions = positions
        self._connection: Connection | None = None
        self._member = 0
        self._next: dict[TopicPartition, int] = {}
        self._wanted: frozenset[TopicPartition] = frozenset()
        self._wake = asyncio.Event()
        self._news: set[str] = set()
        """Topics that may hold unread records, beside those at which a look is due."""
        self._look_at = 0.0
        """When all are looked at, by the loop's clock."""
        self._regroup = True
        self._incomplete = False
        self._turn = 0
        self._backoff = _BACKOFF_FIRST
        self._fault = Recurring()
        self._heart: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._has_left = False
        self._to_commit: dict[TopicPartition, int] = {}
        self._committer: asyncio.Task[None] | None = None
        self._load_error: BaseException | None = None

    @property
    def assigned(self) -> frozenset[TopicPartition]:
        """The partitions that this member reads at present."""
        return frozenset(self._next)

    async def poll(self, max_records: int, timeout: float) -> Mapping[TopicPartition, Sequence[StoredRecord]]:
        """See `Subscription.poll`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while not self._closing.is_set():
            self._wake.clear()
            try:
                async with self._reader.using:
                    batch = await self._read(max_records)
                pause = self._look_at - loop.time()
                self._backoff = _BACKOFF_FIRST
                self._fault.is_over()
                if batch:
                    return batch
            except TRANSIENT as error:
                if error is self._load_error:
                    raise
                if self._fault.is_news(str(error)):
                    logger.warning("The embedded event log is not available to group %s: %s", self._group, error)
                self._forget_connection()
                pause, self._backoff = self._backoff, min(self._backoff * 2, _BACKOFF_MOST)
            remaining = deadline - loop.time()
            if remaining <= 0:
                break
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(pause, remaining)):
                    await self._wake.wait()
        return {}

    async def _read(self, max_records: int) -> dict[TopicPartition, list[StoredRecord]]:
        try:
            connection = await self._connected()
            if self._regroup or self._incomplete or len(self._wanted) > len(self._next):
                await self._rebalance(connection)
            return await self._fetch(connection, max_records)
        except asyncio.CancelledError:
            # Whether it has joined, and which locks it got, is not known; others read on by another connection.
            self._forget_connection()
            raise

    async def seek(self, tp: TopicPartition, offset: int) -> None:
        """Read `tp` from `offset` on."""
        if tp in self._next:
            self._next[tp] = offset
            self._news.add(tp.topic)

    async def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """Store positions for `EventLog.lag` in the background, the newest of each partition."""
        self._to_commit.update(positions)
        if self._committer is None or self._committer.done():
            self._committer = asyncio.create_task(self._commit_pending(), name=f"event-log-commit-{self._group}")

    async def _commit_pending(self) -> None:
        while self._to_commit:
            await self._commit()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(COMMIT_SECONDS):
                    await self._closing.wait()

    async def _commit(self) -> None:
        """Failures are logged and forgotten."""
        positions, self._to_commit = self._to_commit, {}
        mine = [(tp, offset) for tp, offset in positions.items() if tp in self._next]
        ordered = sorted(mine, key=lambda item: (item[0].topic, item[0].partition))
        arguments = (
            [tp.topic for tp, _ in ordered],
            [tp.partition for tp, _ in ordered],
            [offset for _, offset in ordered],
        )
        try:
            async with self._reader.using:
                if self._connection is not None and ordered:
                    await self._connection.execute(_COMMIT, self._group, *arguments)
        except FAILURES as error:
            logger.warning("Group %s could not report its position: %s", self._group, error)

    async def close(self) -> None:
        """Leave the group, and the connection to others, within some seconds."""
        self._closing.set()
        self._wake.set()
        if self._committer is not None:
            await asyncio.wait([self._committer], timeout=2.0)
        if self._heart is not None:
            self._heart.cancel()
            await asyncio.wait([self._heart])
        try:
            async with asyncio.timeout(3.0), self._reader.using:
                if self._connection is not None and not self._connection.is_closed():
                    await self._leave(self._connection)
        except FAILURES as error:
            logger.info("Group %s left without saying so: %s", self._group, error)
            self._forget_connection()
        self._next.clear()
        if not self._has_left:
            self._has_left = True
            await self._reader.leave(self._group)

    async def _leave(self, connection: Connection) -> None:
        await connection.execute("delete from member where id = $1", self._member)
        await self._unlock(connection, self._next)
        await announce(connection, group=self._group)
        connection.remove_termination_listener(self._on_lost)
        await connection.remove_listener(RECORDS_CHANNEL, self._on_records)
        await connection.remove_listener(GROUPS_CHANNEL, self._on_group)

    async def _connected(self) -> Connection:
        connection = await self._reader.connected()
        if connection is self._connection:
            return connection
        self._forget_connection()
        self._connection = connection
        connection.add_termination_listener(self._on_lost)
        await connection.add_listener(RECORDS_CHANNEL, self._on_records)
        await connection.add_listener(GROUPS_CHANNEL, self._on_group)
        self._member = await connection.fetchval(_JOIN, self._group, self._topics)
        await announce(connection, group=self._group)
        if self._heart is None:
            self._heart = asyncio.create_task(self._beat(), name=f"event-log-heartbeat-{self._group}")
        return connection

    def _forget_connection(self) -> None:
        """Without the connection there are no locks, and without locks no partitions."""
        if self._connection is not None and not self._connection.is_closed():
            self._connection.terminate()
        self._connection = None
        self._next.clear()
        self._look_at = 0.0
        self._wanted = frozenset()
        self._regroup = True

    def _on_lost(self, _connection: object) -> None:
        self._wake.set()

    def _on_records(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        if payload in self._topics:
            self._news.add(str(payload))
            self._wake.set()

    def _on_group(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        if payload == self._group:
            self._regroup = True
            self._wake.set()

    async def _rebalance(self, connection: Connection) -> None:
        """Give up what others should read; take what this member should and nobody holds."""
        self._regroup = False
        rows = await connection.fetch("select name, partitions from topic where name = any($1::text[])", self._topics)
        self._incomplete = len(rows) < len(self._topics)  # a topic that nobody has created yet
        members = await connection.fetch(_ALIVE, self._group, _HUNG_AFTER)
        shares = assign_ranges(
            {row["id"]: row["topics"] for row in members}, {row["name"]: row["partitions"] for row in rows}
        )
        self._wanted = shares.get(self._member, frozenset())
        released = self._next.keys() - self._wanted
        if released:
            for tp in released:
                del self._next[tp]
            await self._unlock(connection, released)
            await announce(connection, group=self._group)
        await self._take(connection, sorted(self._wanted - self._next.keys(), key=str))

    async def _unlock(self, connection: Connection, partitions: Iterable[TopicPartition]) -> None:
        keys = [ownership_lock(self._group, tp) for tp in partitions]
        await connection.execute("select pg_advisory_unlock(k) from unnest($1::bigint[]) k", keys)

    async def _take(self, connection: Connection, candidates: Sequence[TopicPartition]) -> None:
        if not candidates:
            return
        keys = [ownership_lock(self._group, tp) for tp in candidates]
        rows = await connection.fetch("select pg_try_advisory_lock(k) from unnest($1::bigint[]) k", keys)
        taken = [tp for tp, row in zip(candidates, rows, strict=True) if row[0]]
        if not taken:
            return
        try:
            stored = await self._positions.load(self._group, taken)
        except BaseException as error:
            self._load_error = error
            await self._unlock(connection, taken)
            raise
        self._next.update({tp: stored.get(tp, 0) for tp in taken})
        self._look_at = 0.0
        await self._restart_replaced(connection, taken)
        logger.info("Group %s reads %d partitions, %d of them new", self._group, len(self._next), len(taken))

    async def _restart_replaced(self, connection: Connection, taken: Sequence[TopicPartition]) -> None:
        """Partitions that end before the position were lost: what they hold now is all unread."""
        rows = await connection.fetch(_ENDS, [tp.topic for tp in taken], [tp.partition for tp in taken])
        for row in rows:
            tp, end = TopicPartition(row["topic"], row["partition"]), row["next_offset"]
            if self._next[tp] > end:
                logger.error(REPLACED, self._group, self._next[tp], tp.topic, tp.partition, end)
                self._next[tp] = 0

    async def _fetch(self, connection: Connection, max_records: int) -> dict[TopicPartition, list[StoredRecord]]:
        now = asyncio.get_running_loop().time()
        if now >= self._look_at:
            self._news.update(self._topics)
            self._look_at = now + _LOOK_EVERY
        partitions = [tp for tp in self._next if tp.topic in self._news]
        if not partitions:
            return {}
        looked_at, self._news = self._news, set()  # of what comes from now on the next poll will hear
        # Whoever stands first may fill the whole batch, so each poll starts one further on.
        self._turn = (self._turn + 1) % len(partitions)
        partitions = partitions[self._turn :] + partitions[: self._turn]
        try:
            rows = await connection.fetch(
                _FETCH,
                [tp.topic for tp in partitions],
                [tp.partition for tp in partitions],
                [self._next[tp] for tp in partitions],
                max_records,
            )
        except BaseException:
            self._news |= looked_at
            raise
        if len(rows) == max_records or sum(len(row[4] or b"") for row in rows) > _FETCH_BYTES - MAX_RECORD_BYTES:
            self._news |= looked_at
        batch: dict[TopicPartition, list[StoredRecord]] = {}
        for row in rows:
            record = _stored(row)
            batch.setdefault(record.topic_partition, []).append(record)
        for tp, records in batch.items():
            self._next[tp] = records[-1].offset + 1
        return batch

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_HEARTBEAT)
            try:
                async with self._reader.using:
                    if self._connection is not None and not self._connection.is_closed():
                        await self._heartbeat(self._connection)
            except FAILURES as error:
                logger.warning("Heartbeat of group %s failed: %s", self._group, error)

    async def _heartbeat(self, connection: Connection) -> None:
        status = await connection.execute(
            "update member set heartbeat_at = clock_timestamp() where id = $1", self._member
        )
        cleaned = await connection.execute(_CLEAN, self._group)
        if status == "UPDATE 0":
            await connection.close()  # someone took us for dead: join again
            return
        if cleaned != "DELETE 0":
            self._regroup = True
        for row in await connection.fetch(_ALIVE, self._group, _HUNG_AFTER):
            if row["hung"] and row["id"] != self._member:
                logger.warning("Group %s cuts off member %d, which hangs", self._group, row["id"])
                await connection.execute("select pg_terminate_backend($1)", row["pid"])
                self._regroup = True
        if self._regroup:
            self._wake.set()


def _stored(row: asyncpg.Record) -> StoredRecord:
    return StoredRecord(
        topic=row[0],
        partition=row[1],
        offset=row[2],
        key=row[3],
        value=row[4],
        headers=MappingProxyType(orjson.loads(row[5])),
        timestamp=row[6],
    )
