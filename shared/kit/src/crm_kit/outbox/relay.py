"""Carries the outbox to the event log.

Reads all unpublished rows in id order, publishes them, deletes them once the log has acknowledged. A cursor
(`id > last`) would lose rows that commit late, and SKIP LOCKED would reorder them: both were measured. A shard is
relayed by whoever holds its advisory lock, on the very connection that reads and deletes: who loses the connection
loses the lock and can delete nothing.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import asyncpg
import orjson
import structlog
from crm_contracts.ids import DeadLetterId

from crm_kit.bus.port import EventLog, Record, RecordTooLarge
from crm_kit.db.connecting import SESSION, connect
from crm_kit.observability import metrics, tracing
from crm_kit.observability.recurring import Recurring
from crm_kit.outbox.table import SHARDS
from crm_kit.pacing import Pace
from crm_kit.shutdown import finish

_LOCK_CLASS = 0x0B07
_BATCH = 1000
_POLL_SECONDS = 0.5
_ROUND_SECONDS = 0.01
"""From the beginning of a round to that of the next: what arrives meanwhile shares its cost, and a consumer's batch."""
_LONGEST_REST_SECONDS = 0.05
_CLAIM_SECONDS = 1.0
_SILENCE_SECONDS = 40.0
_PAUSE_SECONDS = 0.1
_MAX_PAUSE_SECONDS = 5.0

_SELECT = """
    select id, topic, key, headers::text as headers, payload, created_at
      from outbox o
     where shard = any($1::smallint[]) and quarantined_at is null
       and not exists (select 1 from outbox q where q.key = o.key and q.quarantined_at is not null)
     order by id
     limit $2
"""

_QUARANTINE = """
    update outbox set quarantined_at = now(), attempts = attempts + 1, error = $2, letter_id = coalesce(letter_id, $3)
     where id = $1
"""

log = structlog.get_logger(__name__)


class Relay:
    """Relays every shard it can lock, until cancelled.

    `silence_seconds`: a relay from which PostgreSQL hears nothing for so long (a frozen process, a half-open connection)
    loses its shards to another. Longer than the event log takes to give a batch up.
    """

    def __init__(
        self, database_url: str, event_log: EventLog, *, service: str, silence_seconds: float = _SILENCE_SECONDS
    ) -> None:
        self._url = database_url
        self._event_log = event_log
        self._service = service
        self._silence_seconds = silence_seconds
        self._shards: set[int] = set()
        self._woken = asyncio.Event()
        self._pause = _PAUSE_SECONDS
        self._pace = Pace(round_seconds=_ROUND_SECONDS, longest=_LONGEST_REST_SECONDS)
        self._fault = Recurring()
        metrics.OUTBOX_RELAYED.labels(service)
        metrics.OUTBOX_QUARANTINED.labels(service)

    async def run(self) -> None:
        """Runs until cancelled; the batch in hand is finished then. Survives the loss of database and event log."""
        settings = {
            **SESSION,
            "idle_session_timeout": f"{self._silence_seconds * 1000:.0f}ms",
            # What is not deleted yet when the server crashes is published twice, as it is when the relay dies in between.
            "synchronous_commit": "off",
        }
        while True:
            try:
                connection = await connect(self._url, timeout=10, command_timeout=60, server_settings=settings)
            except Exception as error:
                if self._fault.is_news(str(error)):
                    log.warning("relay_cannot_connect", error=str(error))
            else:
                try:
                    await connection.add_listener("outbox", self._wake)
                    await self._relay(connection)
                except Exception as error:
                    # Whatever it is, nothing is lost by another try. A connection that the server kills makes asyncpg
                    # raise its InternalClientError too, which is no PostgresError.
                    if self._fault.is_news(str(error)):
                        log.warning("relay_interrupted", error=str(error), kind=type(error).__name__)
                finally:
                    self._shards.clear()
                    with suppress(Exception):
                        connection.terminate()
            await asyncio.sleep(self._pause)
            self._pause = min(self._pause * 2, _MAX_PAUSE_SECONDS)

    def _wake(self, *_: object) -> None:
        self._woken.set()

    async def _relay(self, connection: asyncpg.Connection) -> None:
        loop = asyncio.get_running_loop()
        claim_at = 0.0
        while True:
            if len(self._shards) < SHARDS and loop.time() >= claim_at:
                await self._claim(connection)
                claim_at = loop.time() + _CLAIM_SECONDS
            self._woken.clear()
            self._pace.begin()
            rows = await connection.fetch(_SELECT, sorted(self._shards), _BATCH) if self._shards else []
            if rows:
                await finish(self._publish(connection, rows))
            self._pause = _PAUSE_SECONDS
            self._fault.is_over()
            if len(rows) < _BATCH:
                await asyncio.sleep(self._pace.rest)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), _POLL_SECONDS if self._shards else _CLAIM_SECONDS)

    async def _claim(self, connection: asyncpg.Connection) -> None:
        for shard in sorted(set(range(SHARDS)) - self._shards):
            if await connection.fetchval("select pg_try_advisory_lock($1, $2)", _LOCK_CLASS, shard):
                self._shards.add(shard)

    async def _publish(self, connection: asyncpg.Connection, rows: Sequence[asyncpg.Record]) -> None:
        records = [Record(row["topic"], row["key"], row["payload"], orjson.loads(row["headers"])) for row in rows]
        try:
            await self._event_log.publish(records)
        except RecordTooLarge:
            await self._publish_singly(connection, rows, records)
            return
        await connection.execute("delete from outbox where id = any($1::bigint[])", [row["id"] for row in rows])
        self._told(rows, records)

    async def _publish_singly(
        self, connection: asyncpg.Connection, rows: Sequence[asyncpg.Record], records: Sequence[Record]
    ) -> None:
        """One row of the batch can never be published: it is quarantined, and with it the later ones of its key."""
        barred: set[str] = set()
        for row, record in zip(rows, records, strict=True):
            if record.key in barred:
                continue
            try:
                await self._event_log.publish([record])
            except RecordTooLarge as error:
                barred.add(record.key)
                log.error("outbox_row_quarantined", id=row["id"], topic=record.topic, key=record.key)
                metrics.OUTBOX_QUARANTINED.labels(self._service).inc()
                await connection.execute(
                    _QUARANTINE,
                    row["id"],
                    str(error),
                    DeadLetterId.new(),
                )
            else:
                await connection.execute("delete from outbox where id = $1", row["id"])
                self._told([row], [record])

    def _told(self, rows: Sequence[asyncpg.Record], records: Sequence[Record]) -> None:
        metrics.OUTBOX_RELAYED.labels(self._service).inc(len(rows))
        if tracing.is_on():
            tracing.messages_sent(
                [
                    (record.topic, record.headers.get("ce_traceparent"), row["created_at"].timestamp())
                    for row, record in zip(rows, records, strict=True)
                ]
            )
