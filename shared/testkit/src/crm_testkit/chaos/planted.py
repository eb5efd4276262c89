"""`python -m crm_testkit.chaos.planted <bug> <module> serve`: a service with one well-known bug.

Each has been shipped by somebody, and each looks right. A checker that does not find them proves nothing.
"""

import asyncio
import importlib
import os
import random
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import asyncpg
import orjson
from crm_contracts.envelope import Event
from crm_kit.bus import Record, StoredRecord, Subscription, TopicPartition
from crm_kit.bus.embedded import EmbeddedEventLog
from crm_kit.cli import run
from crm_kit.db.session import Database, WriteSession
from crm_kit.db.sql import Sql
from crm_kit.inbox import Consumer, ConsumerRunner
from crm_kit.inbox.applying import is_transient
from crm_kit.inbox.positions import Fenced
from crm_kit.manifest import Feature, Manifest, TimerFactory
from crm_kit.outbox import Relay
from crm_kit.outbox.table import APPEND
from crm_kit.runtime import Runtime
from crm_kit.settings import ServiceSettings
from crm_kit.timers import TimerHandler
from crm_local.configuration import MODULES
from pydantic import JsonValue
from sqlalchemy import text

Batch = Mapping[TopicPartition, Sequence[StoredRecord]]

_SELECT: Final = "select id, topic, key, headers::text as headers, payload from outbox"


def _records(rows: Iterable[Any]) -> list[Record]:
    return [Record(row["topic"], row["key"], row["payload"], _headers(row["headers"])) for row in rows]


def _headers(headers: Any) -> dict[str, str]:
    found: dict[str, str] = orjson.loads(headers) if isinstance(headers, str) else headers
    return found


class CursorRelay(Relay):
    """`id > last`: a row that commits after one with a higher number is never read."""

    async def _relay(self, connection: asyncpg.Connection) -> None:
        last = 0
        while True:
            rows = await connection.fetch(f"{_SELECT} where id > $1 order by id limit 1000", last)
            if rows:
                await self._event_log.publish(_records(rows))
                last = rows[-1]["id"]
            await asyncio.sleep(0.002)


class SkipLockedRelays(Relay):
    """Four that share the rows by SKIP LOCKED: the one with the later event may publish first."""

    async def run(self) -> None:
        await asyncio.gather(*(self._one() for _ in range(4)))

    async def _one(self) -> None:
        connection = await asyncpg.connect(self._url)
        while True:
            async with connection.transaction():
                rows = await connection.fetch(f"{_SELECT} order by id limit 3 for update skip locked")
                await asyncio.sleep(random.uniform(0, 0.04))  # the way to the broker
                await self._event_log.publish(_records(rows))
                await connection.execute("delete from outbox where id = any($1::bigint[])", [row["id"] for row in rows])
            await asyncio.sleep(0.002)


class _Recording(WriteSession):
    """Remembers what goes into the outbox."""

    outbox: list[Record]

    async def fetch(self, statement: Sql, values: Mapping[str, Any]) -> Sequence[Any]:
        if statement is APPEND:
            columns = (values[name] for name in ("topics", "keys", "payloads", "headers"))
            self.outbox += [
                Record(topic, key, payload, _headers(headers))
                for topic, key, payload, headers in zip(*columns, strict=True)
            ]
        return await super().fetch(statement, values)


class PublishingDatabase(Database):
    """Publishes before it commits: a transaction that then fails has told of what never was."""

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self._log = EmbeddedEventLog(os.environ["EVENT_LOG_URL"], compaction_interval=0)

    @asynccontextmanager
    async def write(self, tenant_id: str | None, *, always: bool = False) -> AsyncIterator[WriteSession]:
        async with super().write(tenant_id, always=always) as session:
            recording = _Recording(session._session, tenant_id, self.standings)
            recording.outbox = []
            yield recording
            await recording.flush()
            if recording.outbox:
                await self._log.start()
                await self._log.publish(recording.outbox)
                await asyncio.sleep(0.05)  # the way back from the broker


class EarlyRunner(ConsumerRunner):
    """Stores its position, then has the effect: a crash in between loses it."""

    async def _apply_with_retry(self, batch: Batch, subscription: Subscription) -> None:
        positions = {tp: records[-1].offset + 1 for tp, records in batch.items()}
        items = [self._read(record) for records in batch.values() for record in records]
        async with self._database.write(None) as session:
            await self._positions.advance(session, self.name, positions, items[0].tenant_id)
        self._positions.committed(positions)
        await asyncio.sleep(0.05)
        async with self._database.write(None) as session:
            await self._apply(session, items, singly=False)


class CarelessRunner(ConsumerRunner):
    """Acknowledges whatever happens: what could not be applied is gone."""

    async def _apply_with_retry(self, batch: Batch, subscription: Subscription) -> None:
        positions = {tp: records[-1].offset + 1 for tp, records in batch.items()}
        items = [self._read(record) for records in batch.values() for record in records]
        try:
            async with self._database.write(None) as session:
                await self._apply(session, items, singly=False)
                await asyncio.sleep(0.02)
        except Exception as error:
            if not is_transient(error):
                raise
        while True:
            try:
                async with self._database.write(None) as session:
                    await self._positions.advance(session, self.name, positions, items[0].tenant_id)
                break
            except Fenced:
                raise
            except Exception:
                await asyncio.sleep(0.05)
        self._positions.committed(positions)


def _unguarded(consumer: Consumer) -> Consumer:
    """Forgets the versions of what it has before it applies an event, so that an old one passes for new."""

    async def handle(session: WriteSession, events: Sequence[Event]) -> None:
        ids = [event.subject for event in events]
        await session.execute(text("update entity set version = 0, deleted = false where id = any(:ids)"), {"ids": ids})
        await consumer.handle(session, events)

    return replace(consumer, handle=handle)


def _without_guard(manifest: Manifest) -> Manifest:
    features: list[Feature] = [
        replace(feature, consumers=tuple(_unguarded(consumer) for consumer in feature.consumers))
        for feature in manifest.features
    ]
    return replace(manifest, features=tuple(features))


def _hasty(features: Sequence[Feature]) -> list[Feature]:
    return [replace(each, timers=_sending_first(each.timers)) if each.timers else each for each in features]


def _sending_first(timers: Callable[[ServiceSettings], Mapping[str, TimerHandler]]) -> TimerFactory:
    """Hands the mail over, then looks whether it may, and marks it: within one transaction, so it looks safe."""
    mail = importlib.import_module("campaigns_svc.mail")

    def make(settings: ServiceSettings) -> Mapping[str, TimerHandler]:
        handlers, mailer = dict(timers(settings)), mail.Mailer(settings)
        if "send_message" not in handlers:
            return handlers
        careful = handlers["send_message"]

        async def send(session: WriteSession, key: str, payload: Mapping[str, JsonValue]) -> Any:
            address = await session.scalar(
                text("select email from contact_copy where id = (select contact_id from message where id = :id)"),
                {"id": key},
            )
            if address:
                await mailer.deliver(mail.Letter(key, address, "S", "B", None, "https://crm.example.com/leave"))
            return await careful(session, key, payload)

        return {**handlers, "send_message": send}

    return make


def _with_haste(manifest: Manifest) -> Manifest:
    return replace(manifest, features=tuple(_hasty(manifest.features)))


class _WithCursor(Runtime):
    relay_type = CursorRelay


class _WithSkipLocked(Runtime):
    relay_type = SkipLockedRelays


class _WithEarlyPublishing(Runtime):
    database_type = PublishingDatabase


class _WithEarlyPositions(Runtime):
    runner_type = EarlyRunner


class _WithCarelessness(Runtime):
    runner_type = CarelessRunner


def _as_it_is(manifest: Manifest) -> Manifest:
    return manifest


@dataclass(frozen=True, slots=True)
class Bug:
    """`where`: the processes that have it. `faults`: of the nemesis, those that bring it out; none where load does."""

    where: tuple[str, ...]
    runtime: type[Runtime] = Runtime
    manifest: Callable[[Manifest], Manifest] = _as_it_is
    faults: tuple[str, ...] = ()


_PUBLISHERS: Final = ("contacts", "pipeline", "tickets")
_BROKEN_CONNECTIONS: Final = ("kill connections of PostgreSQL",)

BUGS: Final[Mapping[str, Bug]] = {
    "id-cursor": Bug(_PUBLISHERS, _WithCursor),
    "skip-locked": Bug(_PUBLISHERS, _WithSkipLocked),
    "publish-before-commit": Bug(_PUBLISHERS, _WithEarlyPublishing, faults=_BROKEN_CONNECTIONS),
    "position-before-effect": Bug(("gateway",), _WithEarlyPositions, faults=_BROKEN_CONNECTIONS),
    "acknowledge-on-error": Bug(("gateway",), _WithCarelessness, faults=_BROKEN_CONNECTIONS),
    "mail-before-mark": Bug(("campaigns",), manifest=_with_haste),
    "no-version-guard": Bug(("gateway",), manifest=_without_guard, faults=("old events again",)),
}


def programs(bug: str) -> dict[str, tuple[str, ...]]:
    """The commands of the processes that have it, for a stack."""
    start = (sys.executable, "-m", "crm_testkit.chaos.planted", bug)
    return {name: (*start, MODULES[name], "serve") for name in BUGS[bug].where}


def main() -> None:
    bug, module, *command = sys.argv[1:]
    sys.argv = [module, *command]
    manifest: Manifest = importlib.import_module(f"{module}.manifest").MANIFEST
    authenticator = None
    if module == "gateway":
        authenticator = importlib.import_module("gateway.composition").make_authenticator
    run(BUGS[bug].manifest(manifest), authenticator, BUGS[bug].runtime)


if __name__ == "__main__":
    main()
