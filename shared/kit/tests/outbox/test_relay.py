"""From the outbox to the event log: everything, in order, whatever fails."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from crm_contracts.envelope import Event
from crm_kit.bus import Record, StoredRecord, TopicSpec, Unavailable
from crm_kit.bus.embedded import EmbeddedEventLog
from crm_kit.bus.port import MAX_RECORD_BYTES
from crm_kit.db.embedded import EmbeddedPostgres
from crm_kit.outbox import OUTBOX, Relay, shard_of
from crm_testkit.chaos.links import Link, socket_of, through
from crm_testkit.toy_service import NOTE
from crm_testkit.toy_service.fixtures import Parts
from crm_testkit.writers import change, check, make_notes, read_all, running, until, write_concurrently


def _relay(parts: Parts, log: EmbeddedEventLog) -> Relay:
    return Relay(parts.urls.system, log, service="toy")


def _empty(parts: Parts) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        return await parts.fetch("select 1 from outbox where quarantined_at is null limit 1") == []

    return condition


def _events(records: Sequence[StoredRecord]) -> list[Event]:
    return [Event.parse(record.headers, record.value) for record in records]


async def test_sixteen_writers_events_arrive_complete_and_in_order(
    parts: Parts, log: EmbeddedEventLog, tenant_id: str
) -> None:
    ids = await make_notes(parts.app, tenant_id, 20)
    async with running(_relay(parts, log).run):
        expected = await write_concurrently(parts.app, tenant_id, ids, writers=16, transactions=80, seed=1)
        await until(_empty(parts))
    records = await read_all(log, NOTE.name)
    assert sum(expected.values()) == 20 + 16 * 80 * 2
    assert not check(_events(records), expected)
    assert len(records) == sum(expected.values()), "published twice although nothing failed"


async def test_two_relays_whose_connections_are_killed_lose_and_reorder_nothing(
    parts: Parts, log: EmbeddedEventLog, tenant_id: str, postgres_server: EmbeddedPostgres
) -> None:
    ids = await make_notes(parts.app, tenant_id, 20)
    killed = 0

    async def kill() -> None:
        nonlocal killed
        while True:
            await asyncio.sleep(0.2)
            killed += await parts.terminate(postgres_server.superuser_url(), "system")

    async with running(_relay(parts, log).run, _relay(parts, log).run):
        async with running(kill):
            expected = await write_concurrently(parts.app, tenant_id, ids, writers=16, transactions=40, seed=2)
        await until(_empty(parts))
    assert killed >= 2
    assert not check(_events(await read_all(log, NOTE.name)), expected)


async def test_a_relay_of_which_nothing_is_heard_any_more_loses_its_shards_to_another(
    parts: Parts, log: EmbeddedEventLog, tenant_id: str, tmp_path: Path
) -> None:
    socket = socket_of(parts.urls.system)
    link = Link(socket, tmp_path / socket.name)
    await link.start()
    try:
        frozen = Relay(through(parts.urls.system, tmp_path), log, service="toy", silence_seconds=1.5)
        async with running(frozen.run):
            ids = await make_notes(parts.app, tenant_id, 5)
            await until(_empty(parts))
            link.harm = "half-open"
            expected = await write_concurrently(parts.app, tenant_id, ids, writers=4, transactions=5, seed=6)
            async with running(_relay(parts, log).run):
                await until(_empty(parts))
            assert not check(_events(await read_all(log, NOTE.name)), expected)
    finally:
        link.harm = "none"
        await link.stop()


class _Interrupted(EmbeddedEventLog):
    """An event log that can be unreachable."""

    reachable = True

    async def publish(self, records: Sequence[Record]) -> None:
        if not self.reachable:
            raise Unavailable("cut off by the test")
        await super().publish(records)


async def test_while_the_log_is_unreachable_events_wait(
    parts: Parts, event_log_database: Callable[[], str], tenant_id: str
) -> None:
    log = _Interrupted(event_log_database(), compaction_interval=0)
    await log.start()
    try:
        await log.ensure_topics([TopicSpec(NOTE.name)])
        ids = await make_notes(parts.app, tenant_id, 5)
        async with running(_relay(parts, log).run):
            await until(_empty(parts))
            log.reachable = False
            expected = await write_concurrently(parts.app, tenant_id, ids, writers=4, transactions=5, seed=3)
            await asyncio.sleep(0.5)
            assert not await _empty(parts)()
            log.reachable = True
            await until(_empty(parts))
        assert not check(_events(await read_all(log, NOTE.name)), expected)
    finally:
        await log.close()


async def test_an_event_that_can_never_be_published_holds_back_its_own_entity_alone(
    parts: Parts, log: EmbeddedEventLog, tenant_id: str
) -> None:
    ids = await make_notes(parts.app, tenant_id, 3)
    async with parts.app.write(tenant_id) as session:
        oversize = {
            "tenant_id": tenant_id,
            "shard": shard_of(ids[0]),
            "topic": NOTE.name,
            "key": ids[0],
            "headers": {},
            "payload": b"x" * (MAX_RECORD_BYTES + 1),
        }
        await session.execute(OUTBOX.insert(), oversize)
    for _ in range(2):
        await change(parts.app, tenant_id, ids)
    async with running(_relay(parts, log).run):

        async def others_are_through() -> bool:
            return len(await parts.fetch("select 1 from outbox")) == 3

        await until(others_are_through)
        [bad, *waiting] = await parts.fetch("select key, quarantined_at, error from outbox order by id")
        assert "1,000,000" in bad["error"]
        assert [(row["key"], row["quarantined_at"]) for row in waiting] == [(ids[0], None)] * 2
        assert not check(_events(await read_all(log, NOTE.name)), {ids[0]: 1, ids[1]: 3, ids[2]: 3}), (
            "the others went on"
        )

        await parts.fetch("delete from outbox where quarantined_at is not null")
        await until(_empty(parts))
    assert not check(_events(await read_all(log, NOTE.name)), dict.fromkeys(ids, 3))


async def test_a_relay_that_starts_late_finds_everything(parts: Parts, log: EmbeddedEventLog, tenant_id: str) -> None:
    ids = await make_notes(parts.app, tenant_id, 5)
    expected = await write_concurrently(parts.app, tenant_id, ids, writers=4, transactions=5, seed=4)
    async with running(_relay(parts, log).run):
        await until(_empty(parts))
    assert not check(_events(await read_all(log, NOTE.name)), expected)
    headers = [record.headers for record in await read_all(log, NOTE.name)]
    assert all(record["ce_partitionkey"] == record["ce_subject"] for record in headers)
