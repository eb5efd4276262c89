"""One rebuild, from the empty tables to the switch.

The live consumer goes on all the time. It is held up by a lock on its positions for the moments in which both must have
read the same: it can commit nothing then, and after a switch its positions are not where it left them, so that it drops
what it had in hand and reads on from where the new tables stand.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import chain, repeat
from typing import Final, TypeVar

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from crm_kit.bus import EventLog, TopicPartition, TopicSpec, open_event_log
from crm_kit.db.session import Database, WriteSession
from crm_kit.inbox import LIVE_SCHEMA, PARKED_EVENT, Consumer, Projection
from crm_kit.rebuild import tables as new_tables
from crm_kit.rebuild.compare import Difference, compare
from crm_kit.rebuild.errors import NotYet, RebuildFailed
from crm_kit.rebuild.progress import Progress
from crm_kit.rebuild.reading import Reading, group_of
from crm_kit.settings import ServiceSettings, SettingsError

T = TypeVar("T")

_LOCK: Final = 0x52454255
_BATCH: Final = 2000
"""Events a transaction; one that inserts a row each with a dozen values stays below PostgreSQL's limit of parameters."""
_LIVE_BATCH: Final = 500
_NEAR: Final = 500
"""Events behind the log at which it is worth while to hold the live consumer up."""
_MEET_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.5
_LIVE_BATCH_SECONDS: Final = 10.0
"""How long the live consumer may take to finish what it has in hand."""
_GIVE_UP_SECONDS: Final = 900.0
_LOCK_TIMEOUTS: Final = (0.2, 0.2, 0.5, 0.5, 1.5)
"""Readers queue behind a lock that is waited for: first briefly, at last long enough to push an autovacuum aside."""

_HOLD = text(
    """
    insert into consumer_position (consumer, topic, partition, next_offset)
    select :consumer, t.topic, t.partition, 0
      from unnest(cast(:topics as text[]), cast(:partitions as int[])) as t(topic, partition) order by 2, 3
    on conflict do nothing
    """
)
_HELD = text(
    """
    select topic, partition, next_offset from consumer_position
     where consumer = :consumer order by topic, partition for update
    """
)
_POSITIONS = text("select topic, partition, next_offset from consumer_position where consumer = :consumer")
# A position that the rebuild has not got goes to the beginning, not away: a missing row fences nobody.
_TAKE_OVER = text(
    """
    update consumer_position p
       set next_offset = coalesce((select r.next_offset from consumer_position r
              where r.consumer = :rebuild and r.topic = p.topic and r.partition = p.partition), 0)
     where p.consumer = :consumer
    """
)
_FORGET_POSITIONS = text("delete from consumer_position where consumer = :consumer")


@asynccontextmanager
async def open_rebuild(
    consumer: Consumer, settings: ServiceSettings, service: str, progress: Progress
) -> AsyncIterator["Rebuild"]:
    """Connects to the databases and the log. Raises SettingsError or EventLogError."""
    if settings.owner_database_url is None:
        raise SettingsError(f"{service.upper()}_OWNER_DATABASE_URL: is needed to rebuild")
    here = {"search_path": f"{new_tables.SCHEMA}, {LIVE_SCHEMA}", "application_name": f"{service}-rebuild"}
    owner = Database(settings.owner_database_url, pool_size=5, settings=here, command_timeout=None)
    by_transaction = settings.lends_by_transaction
    app = Database(
        settings.database_url, pool_size=5, settings=here, command_timeout=None, by_transaction=by_transaction
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(owner.close)
        stack.push_async_callback(app.close)
        event_log = open_event_log(settings)
        stack.push_async_callback(event_log.close)
        await event_log.start()
        await event_log.ensure_topics([TopicSpec(topic.name) for topic in consumer.topics])
        yield Rebuild(consumer, owner, app, event_log, service=service, progress=progress)


class Rebuild:
    """Rebuilds one consumer's projection; `owner` and `app` find the new tables before the live ones."""

    def __init__(
        self,
        consumer: Consumer,
        owner: Database,
        app: Database,
        event_log: EventLog,
        *,
        service: str,
        progress: Progress,
    ) -> None:
        if consumer.projection is None:
            raise RebuildFailed(
                f"{consumer.name} keeps no projection: what it does with an event must not be done again"
            )
        self._consumer = consumer
        self._projection: Projection = consumer.projection
        self._group = group_of(consumer)
        self._owner = owner
        self._app = app
        self._reading = Reading(consumer, app, event_log, service=service)
        self._progress = progress
        self._revision: str | None = None

    async def run(self, *, switch: bool = True, compare_first: bool = True) -> list[Difference]:
        """Builds, compares and switches; the differences that were found. Raises RebuildFailed.

        Whatever ends it before the switch leaves the live projection as it was, and nothing of its own.
        """
        async with self._alone():
            await self._prepare()
            try:
                await self._reading.open()
                await self._catch_up()
                found = await self._compare() if compare_first else []
                if switch:
                    await self._switch()
                return found
            finally:
                await self._reading.close()
                await self._briefly(self._clean)

    async def clean(self) -> None:
        """Removes what a killed rebuild has left."""
        async with self._alone():
            await self._briefly(self._clean)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """One rebuild a database: the lock ends with its connection, however this process ends."""
        engine = self._owner.engine.execution_options(isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            if not await connection.scalar(text("select pg_try_advisory_lock(:lock)"), {"lock": _LOCK}):
                raise RebuildFailed("another rebuild is running on this database")
            try:
                yield
            finally:
                await connection.execute(text("select pg_advisory_unlock(:lock)"), {"lock": _LOCK})

    async def _prepare(self) -> None:
        async with self._app.read(None) as session:
            application: str = await session.scalar(text("select current_user"))

        async def make(session: WriteSession) -> None:
            await self._clean(session)
            self._revision = await new_tables.revision(session)
            await new_tables.require_movable(session, self._projection.tables)
            await new_tables.open_to_owner(session, self._projection.tables)
            await new_tables.create_beside(session, self._projection.tables, application)

        await self._briefly(make)

    async def _clean(self, session: WriteSession) -> None:
        await new_tables.remove_leftovers(session)
        await session.execute(_FORGET_POSITIONS, {"consumer": self._group})
        async with _all_parked(session):
            await session.execute(PARKED_EVENT.delete().where(PARKED_EVENT.c.consumer == self._group))

    async def _catch_up(self) -> None:
        """The past first, by whatever is the fastest way for this projection; then like the live consumer."""
        reading, projection = self._reading, self._projection
        if projection.load is not None:
            reading.handle_by(projection.load)
        await self._require_this_log()
        await self._read_on(_BATCH, "reading")
        async with self._owner.write(None) as session:
            await new_tables.analyze(session, projection.tables)
        if projection.complete is not None:
            began, done = time.monotonic(), 0
            async for done, total in projection.complete(self._owner, self._app):
                self._progress.tell("completing", done, total, "rows")
            self._progress.say(f"completing: {done:,} rows in {time.monotonic() - began:,.1f} s")
        reading.handle_by(self._consumer.handle)
        await self._read_on(_LIVE_BATCH, "catching up")
        await self._match()
        async with self._owner.write(None) as session:
            await new_tables.analyze(session, projection.tables)

    async def _read_on(self, batch: int, phase: str) -> None:
        """Up to the log's present end at least, and then until what came meanwhile is little."""
        reading, began, before = self._reading, time.monotonic(), self._reading.events
        await reading.look()
        goal = reading.ends
        while reading.behind > _NEAR or not reading.has_reached(goal):
            await reading.step(most=batch, wait=0.2)
            total = sum(reading.ends.values())
            self._progress.tell(phase, total - reading.behind, total, "events")
        seconds = time.monotonic() - began
        self._progress.say(f"{phase}: {reading.events - before:,} events in {seconds:,.1f} s")

    async def _require_this_log(self) -> None:
        """A log that ends before the live projection's position is another one: it would make less of it."""
        live = await self._live_positions()
        await self._reading.look()
        ahead = sorted(tp.topic for tp, offset in live.items() if offset > self._reading.ends.get(tp, offset))
        if ahead:
            raise RebuildFailed(
                f"the live projection has read further than the event log goes ({ahead[0]}): is this the right log?"
            )

    async def _live_positions(self) -> dict[TopicPartition, int]:
        async with self._owner.read(None) as session:
            rows = await session.execute(_POSITIONS, {"consumer": self._consumer.name})
            return {TopicPartition(row.topic, row.partition): row.next_offset for row in rows}

    async def _compare(self) -> list[Difference]:
        """Both as they are after the same events, looked at in a snapshot while all goes on."""
        async with AsyncExitStack() as stack:
            session = await self._until_done(lambda: self._snapshot(stack))
            self._progress.say("comparing")
            found = await compare(session, self._projection.tables)
        for difference in found:
            self._progress.say(str(difference))
        if not found:
            self._progress.say("live and rebuilt are equal")
        return found

    async def _snapshot(self, stack: AsyncExitStack) -> WriteSession:
        if not await self._live_has_passed():
            self._progress.say("the live consumer is behind: what it has not applied yet counts as different")
        async with self._held() as (_, live):
            await self._meet(live)
            session = await stack.enter_async_context(self._owner.write(None))
            await new_tables.run(session, "set transaction isolation level repeatable read, read only")
            await session.execute(text("select 1"))  # the first query takes the snapshot
            return session

    async def _switch(self) -> None:
        attempts = 0

        async def once() -> None:
            nonlocal attempts
            timeout = _LOCK_TIMEOUTS[min(attempts, len(_LOCK_TIMEOUTS) - 1)]
            attempts += 1
            async with self._held() as (session, live):
                await self._meet(live)
                await _wait_for_locks(session, timeout)
                await new_tables.swap(session, self._projection.tables, self._revision)
                await self._take_over(session)

        await self._until_done(once)
        self._progress.say("switched: the rebuilt tables are the live ones")

    async def _take_over(self, session: WriteSession) -> None:
        """The rebuild's positions and parked events become the live consumer's."""
        names = {"consumer": self._consumer.name, "rebuild": self._group}
        await session.execute(_TAKE_OVER, names)
        await session.execute(_FORGET_POSITIONS, {"consumer": self._group})
        parked = PARKED_EVENT.c
        async with _all_parked(session):
            await session.execute(PARKED_EVENT.delete().where(parked.consumer == self._consumer.name))
            await session.execute(
                PARKED_EVENT.update().where(parked.consumer == self._group).values(consumer=self._consumer.name)
            )

    @asynccontextmanager
    async def _held(self) -> AsyncIterator[tuple[WriteSession, Mapping[TopicPartition, int]]]:
        """Holds the live consumer up: while this transaction lasts it can move no position, so commit nothing.

        A partition of which it has applied nothing yet gets a row, as only a row can be locked.
        """
        async with self._owner.write(None) as session:
            await _wait_for_locks(session, _LIVE_BATCH_SECONDS)
            tps = sorted(self._reading.ends, key=lambda tp: (tp.topic, tp.partition))
            topics, partitions = [tp.topic for tp in tps], [tp.partition for tp in tps]
            names = {"consumer": self._consumer.name}
            await session.execute(_HOLD, {**names, "topics": topics, "partitions": partitions})
            rows = await session.execute(_HELD, names)
            yield session, {TopicPartition(row.topic, row.partition): row.next_offset for row in rows}

    async def _meet(self, live: Mapping[TopicPartition, int]) -> None:
        """Applies what only the live consumer has, and nothing beyond. Raises NotYet where that takes too long."""
        end = time.monotonic() + _MEET_SECONDS
        wanted = {tp: offset for tp, offset in live.items() if tp in self._reading.ends}
        while not self._reading.has_reached(wanted):
            if time.monotonic() > end:
                raise NotYet
            await self._reading.step(most=_LIVE_BATCH, wait=0.1, below=wanted)
        await self._match()

    async def _match(self) -> None:
        if self._projection.match is not None:
            async with self._owner.write(None) as session:
                await self._projection.match(session)

    async def _live_has_passed(self) -> bool:
        end = time.monotonic() + _MEET_SECONDS
        while time.monotonic() < end:
            live = await self._live_positions()
            if all(live.get(tp, 0) >= offset for tp, offset in self._reading.position.items()):
                return True
            await asyncio.sleep(0.05)
        return False

    async def _until_done(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Tries, and follows the log for a moment where it was not possible. Raises RebuildFailed at last."""
        end = time.monotonic() + _GIVE_UP_SECONDS
        while True:
            try:
                return await attempt()
            except (NotYet, DBAPIError) as error:
                if isinstance(error, DBAPIError) and not _is_lock_error(error):
                    raise
                if time.monotonic() > end:
                    raise RebuildFailed("the system was never quiet enough to switch; try again later") from error
            pause = time.monotonic() + _PAUSE_SECONDS
            while time.monotonic() < pause or self._reading.behind > _NEAR:
                await self._reading.step(most=_LIVE_BATCH, wait=0.1)

    async def _briefly(self, work: Callable[[WriteSession], Awaitable[None]]) -> None:
        """A transaction that takes strong locks: it gives up soon, lets others pass, and tries again."""
        end = time.monotonic() + _GIVE_UP_SECONDS
        for timeout in chain(_LOCK_TIMEOUTS, repeat(_LOCK_TIMEOUTS[-1])):
            try:
                async with self._owner.write(None) as session:
                    await _wait_for_locks(session, timeout)
                    await work(session)
                return
            except DBAPIError as error:
                if not _is_lock_error(error):
                    raise
                if time.monotonic() > end:
                    raise RebuildFailed("the live tables were never free for a moment; try again later") from error
                await asyncio.sleep(_PAUSE_SECONDS)


@asynccontextmanager
async def _all_parked(session: WriteSession) -> AsyncIterator[None]:
    """Shows the owner the parked events of all tenants, within a transaction that nobody else sees."""
    await new_tables.run(session, f"alter table {PARKED_EVENT.name} no force row level security")
    yield
    await new_tables.run(session, f"alter table {PARKED_EVENT.name} force row level security")


async def _wait_for_locks(session: WriteSession, seconds: float) -> None:
    await new_tables.run(session, f"set local lock_timeout = '{round(seconds * 1000)}ms'")


def _is_lock_error(error: DBAPIError) -> bool:
    """A lock was not had in time, or two waited for one another."""
    return getattr(error.orig, "sqlstate", None) in ("55P03", "40P01")
