"""Events are delivered at least once and take effect exactly once, whatever fails in between."""

import asyncio
import random
from collections.abc import Sequence

import pytest
from crm_contracts.envelope import Event
from crm_contracts.ids import TenantId, new_id
from crm_kit.bus import Record, TopicPartition
from crm_kit.bus.embedded import EmbeddedEventLog
from crm_kit.db.embedded import EmbeddedPostgres
from crm_kit.db.session import WriteSession
from crm_kit.inbox import Consumer, ConsumerRunner
from crm_kit.inbox.applying import Handler
from crm_kit.inbox.positions import Fenced, StoredPositions
from crm_kit.inbox.tables import NO_TENANT
from crm_testkit.effects import Effects, count_blindly, count_events, event_of, publish, record_of
from crm_testkit.toy_service import NOTE
from crm_testkit.toy_service.fixtures import Parts
from crm_testkit.writers import read_all, running, until
from sqlalchemy import text


@pytest.fixture
def name() -> str:
    return new_id("consumer")


def _runner(parts: Parts, log: EmbeddedEventLog, name: str, handle: Handler = count_events) -> ConsumerRunner:
    return ConsumerRunner(Consumer(name=name, topics=(NOTE,), handle=handle), parts.app, log, service="toy")


def _keys(number: int) -> list[str]:
    return [new_id("note") for _ in range(number)]


def _history(tenant_id: str, keys: Sequence[str], versions: int) -> list[Event]:
    return [event_of(tenant_id, key, version) for version in range(1, versions + 1) for key in keys]


async def test_what_comes_twice_late_or_after_a_newer_one_counts_once(
    parts: Parts, log: EmbeddedEventLog, effects: Effects, tenant_id: str, name: str
) -> None:
    keys = _keys(10)
    history = _history(tenant_id, keys, 5)
    async with running(_runner(parts, log, name).run):
        await publish(log, *history)
        await publish(log, *history)  # a relay died between the log's acknowledgement and its own deletion
        await publish(log, *random.Random(1).sample(history, 20))
        await publish(log, *[event_of(tenant_id, key, 6) for key in keys])
        await effects.wait(tenant_id, dict.fromkeys(keys, 6))
    assert await effects.faults(tenant_id, dict.fromkeys(keys, 6)) == {}


async def test_without_the_version_guard_the_same_history_is_found_out(
    parts: Parts, log: EmbeddedEventLog, effects: Effects, tenant_id: str, name: str
) -> None:
    keys = _keys(3)
    history = _history(tenant_id, keys, 3)
    async with running(_runner(parts, log, name, count_blindly).run):
        await publish(log, *history, *history)
        await publish(log, *[event_of(tenant_id, key, 4) for key in keys])
        await effects.wait(tenant_id, dict.fromkeys(keys, 4))
    assert await effects.faults(tenant_id, dict.fromkeys(keys, 4)) == dict.fromkeys(keys, (4, 7))


async def test_a_crash_between_effect_and_position_leaves_neither(
    parts: Parts, log: EmbeddedEventLog, effects: Effects, tenant_id: str, name: str
) -> None:
    crashes = 3

    async def handle(session: WriteSession, events: Sequence[Event]) -> None:
        nonlocal crashes
        await count_blindly(session, events)
        if crashes:
            crashes -= 1
            await session.execute(text("select pg_terminate_backend(pg_backend_pid())"))

    keys = _keys(4)
    async with running(_runner(parts, log, name, handle).run):
        await publish(log, *_history(tenant_id, keys, 3))
        await effects.wait(tenant_id, dict.fromkeys(keys, 3))
    assert crashes == 0
    assert await effects.faults(tenant_id, dict.fromkeys(keys, 3)) == {}, "blind counting shows every repetition"


async def test_a_position_stored_before_the_effect_loses_it(
    parts: Parts, log: EmbeddedEventLog, effects: Effects, tenant_id: str, name: str
) -> None:
    """The negative control: the same crash, the same checker, the two halves in two transactions."""
    keys = _keys(4)
    await publish(log, *_history(tenant_id, keys, 3))
    positions = StoredPositions(parts.app)
    crashed = False
    for _ in range(2):
        subscription = await log.subscribe(name, [NOTE.name], positions)
        try:
            while batch := await subscription.poll(4, 0.5):
                async with parts.app.write(None) as session:
                    moved = {tp: records[-1].offset + 1 for tp, records in batch.items()}
                    await positions.advance(session, name, moved, tenant_id)
                positions.committed(moved)
                if not crashed:
                    crashed = True
                    break
                async with parts.app.write(tenant_id) as session:
                    events = [Event.parse(r.headers, r.value) for records in batch.values() for r in records]
                    await count_events(session, events)
        finally:
            await subscription.close()
    assert await effects.faults(tenant_id, dict.fromkeys(keys, 3)) != {}


async def test_what_has_piled_up_goes_to_the_handler_for_it_and_what_comes_singly_does_not(
    parts: Parts, log: EmbeddedEventLog, effects: Effects, tenant_id: str, name: str
) -> None:
    handled: dict[str, list[int]] = {"backlog": [], "live": []}

    def noting(how: str) -> Handler:
        async def handle(session: WriteSession, events: Sequence[Event]) -> None:
            handled[how].append(len(events))
            await count_events(session, events)

        return handle

    keys = _keys(50)
    consumer = Consumer(name=name, topics=(NOTE,), handle=noting("live"), handle_backlog=noting("backlog"))
    await publish(log, *_history(tenant_id, keys, 10))
    async with running(ConsumerRunner(consumer, parts.app, log, service="toy").run):
        await effects.wait(tenant_id, dict.fromkeys(keys, 10))
        await publish(log, event_of(tenant_id, keys[0], 11))
        await effects.wait(tenant_id, {keys[0]: 11})
    assert await effects.faults(tenant_id, dict.fromkeys(keys, 10) | {keys[0]: 11}) == {}
    assert sum(handled["backlog"]) >= 300
    assert handled["live"][-1] == 1


async def test_an_event_that_fails_in_a_backlog_is_parked_and_the_others_are_applied(
    parts: Parts, log: EmbeddedEventLog, effects: Effects, tenant_id: str, name: str
) -> None:
    *keys, bad = _keys(31)

    async def handle(session: WriteSession, events: Sequence[Event]) -> None:
        if any(event.subject == bad for event in events):
            raise ValueError("cannot be applied")
        await count_events(session, events)

    consumer = Consumer(name=name, topics=(NOTE,), handle=handle, handle_backlog=handle)
    await publish(log, *_history(tenant_id, [*keys, bad], 10))
    async with running(ConsumerRunner(consumer, parts.app, log, service="toy").run):
        await effects.wait(tenant_id, dict.fromkeys(keys, 10))
    async with parts.app.read(tenant_id) as session:
        parked = list(
            await session.scalars(text("select key from parked_event where consumer = :name"), {"name": name})
        )
    assert parked == [bad] * 10


async def test_two_runners_of_one_group_share_without_doubling_though_connections_die(
    parts: Parts, log: EmbeddedEventLog, effects: Effects, tenant_id: str, name: str, postgres_server: EmbeddedPostgres
) -> None:
    keys, versions = _keys(24), 12
    handled = [0, 0]
    killed = 0

    def member(number: int) -> Handler:
        async def handle(session: WriteSession, events: Sequence[Event]) -> None:
            handled[number] += len(events)
            await count_blindly(session, events)

        return handle

    async def kill() -> None:
        nonlocal killed
        while True:
            await asyncio.sleep(0.15)
            killed += await parts.terminate(postgres_server.superuser_url(), "app")

    async def both_work() -> bool:
        return min(handled) > 0

    history = _history(tenant_id, keys, versions)
    first, second = (_runner(parts, log, name, member(number)) for number in range(2))
    async with running(first.run):
        async with running(second.run):
            for start in range(0, len(history), 48):
                await publish(log, *history[start : start + 48])
                if start == 96:
                    await until(both_work)
                async with running(kill):
                    await asyncio.sleep(0.2)
        # The second is gone in the middle of its work; the first takes its partitions over.
        await effects.wait(tenant_id, dict.fromkeys(keys, versions))
    assert killed > 0
    assert await effects.faults(tenant_id, dict.fromkeys(keys, versions)) == {}


async def test_a_member_that_lost_its_partition_can_apply_nothing(
    parts: Parts, effects: Effects, tenant_id: str, name: str
) -> None:
    tp = TopicPartition(NOTE.name, 3)
    old, new = StoredPositions(parts.app), StoredPositions(parts.app)
    await old.load(name, [tp])
    await new.load(name, [tp])
    async with parts.app.write(tenant_id) as session:
        await new.advance(session, name, {tp: 10}, tenant_id)
    [key] = _keys(1)
    with pytest.raises(Fenced) as fenced:  # noqa: PT012  # the block is the transaction
        async with parts.app.write(tenant_id) as session:
            await count_events(session, [event_of(tenant_id, key, 1)])
            await old.advance(session, name, {tp: 5}, tenant_id)
    assert fenced.value.partitions == [tp]
    assert await effects.of(tenant_id) == {}
    assert await old.load(name, [tp]) == {tp: 10}


async def test_an_event_that_cannot_be_applied_is_parked_and_holds_back_its_key_alone(
    parts: Parts, log: EmbeddedEventLog, effects: Effects, tenant_id: str, name: str
) -> None:
    bad, *good = _keys(6)

    async def handle(session: WriteSession, events: Sequence[Event]) -> None:
        await count_events(session, events)
        if any((event.subject, event.sequence) == (bad, 2) for event in events):
            raise ValueError(f"no such thing: {bad!r} \0 \ud800")

    async with running(_runner(parts, log, name, handle).run):
        await publish(log, *_history(tenant_id, [bad, *good], 3))
        await effects.wait(tenant_id, dict.fromkeys(good, 3))
        await publish(log, event_of(tenant_id, bad, 4), *[event_of(tenant_id, key, 4) for key in good])
        await effects.wait(tenant_id, dict.fromkeys(good, 4))

        async def all_parked() -> bool:
            return len(await effects.parked(tenant_id, name)) == 3

        await until(all_parked)
    assert await effects.faults(tenant_id, dict.fromkeys(good, 4)) == {}
    assert (await effects.of(tenant_id))[bad] == (1, 1)
    [first, *behind] = await effects.parked(tenant_id, name)
    assert first == (bad, f"ValueError: no such thing: {bad!r} \ufffd ?")
    assert behind == [(bad, "waits behind an earlier event of its key")] * 2
    rows = await parts.fetch_as(tenant_id, "select headers->>'ce_sequence' as n from parked_event order by id")
    assert [row["n"] for row in rows] == ["2", "3", "4"]


async def test_a_failure_that_passes_is_retried_until_it_has(
    parts: Parts, log: EmbeddedEventLog, effects: Effects, tenant_id: str, name: str
) -> None:
    failures = [OSError("network"), TimeoutError("slow"), ConnectionResetError("reset")]

    async def handle(session: WriteSession, events: Sequence[Event]) -> None:
        await count_blindly(session, events)
        if failures:
            raise failures.pop()

    keys = _keys(3)
    async with running(_runner(parts, log, name, handle).run):
        await publish(log, *_history(tenant_id, keys, 2))
        await effects.wait(tenant_id, dict.fromkeys(keys, 2))
    assert await effects.faults(tenant_id, dict.fromkeys(keys, 2)) == {}
    assert await effects.parked(tenant_id, name) == []


async def test_a_record_that_is_no_event_is_parked(
    parts: Parts, log: EmbeddedEventLog, effects: Effects, tenant_id: str, name: str
) -> None:
    [key] = _keys(1)
    good = record_of(event_of(tenant_id, key, 1))
    records = [
        Record(NOTE.name, "no-headers", b"{}", {}),
        Record(NOTE.name, "no-json", b"\xff", good.headers),
        Record(NOTE.name, "no-entity", b"[]", good.headers),
        Record(NOTE.name, "no-time", good.value, {**good.headers, "ce_time": "yesterday"}),
        Record(NOTE.name, "no-number", good.value, {**good.headers, "ce_sequence": "1e3"}),
        Record(NOTE.name, "no-version", good.value, {**good.headers, "ce_sequence": "0"}),
        Record(NOTE.name, "no-type", good.value, {**good.headers, "ce_type": "created"}),
    ]
    async with running(_runner(parts, log, name).run):
        await log.publish([*records, good])
        await effects.wait(tenant_id, {key: 1})

        async def all_parked() -> bool:
            return len(await effects.parked(tenant_id, name)) == len(records) - 1

        await until(all_parked)
    nobodys = dict(await effects.parked(NO_TENANT, name))
    assert nobodys.keys() == {"no-headers"}
    parked = {**nobodys, **dict(await effects.parked(tenant_id, name))}
    assert parked.keys() == {record.key for record in records}
    assert all(reason.startswith("MalformedEvent: ") for reason in parked.values())


async def test_a_batch_of_several_tenants_is_applied_to_each_within_its_own_rows(
    parts: Parts, log: EmbeddedEventLog, effects: Effects, name: str
) -> None:
    tenants = [TenantId.new() for _ in range(3)]
    intruder = tenants[2]
    seen: dict[str, set[str]] = {}

    async def handle(session: WriteSession, events: Sequence[Event]) -> None:
        assert {event.tenant_id for event in events} == {session.tenant_id}
        await count_events(session, events)
        found = await session.scalars(text("select distinct tenant_id from effect"))
        seen.setdefault(session.tenant_id, set()).update(found)
        if session.tenant_id == intruder:
            await count_events(session, [event_of(tenants[0], "stolen", 1)])

    keys = {tenant: _keys(4) for tenant in tenants}
    history = [event for tenant in tenants for event in _history(tenant, keys[tenant], 2)]
    random.Random(2).shuffle(history)
    history.sort(key=lambda event: event.sequence)
    await publish(log, *history)
    async with running(_runner(parts, log, name, handle).run):
        for tenant in tenants[:2]:
            await effects.wait(tenant, dict.fromkeys(keys[tenant], 2))

        async def intruder_is_parked() -> bool:
            return len(await effects.parked(intruder, name)) == 8

        await until(intruder_is_parked)
    assert {tenant: seen[tenant] for tenant in tenants} == {tenant: {tenant} for tenant in tenants}
    assert "stolen" not in await effects.of(tenants[0])
    assert await effects.of(intruder) == {}
    assert "row-level security" in (await effects.parked(intruder, name))[0][1]


async def test_a_tombstone_alone_is_an_event_too(
    parts: Parts, log: EmbeddedEventLog, effects: Effects, tenant_id: str, name: str
) -> None:
    [key] = _keys(1)
    got: list[Event] = []

    async def handle(session: WriteSession, events: Sequence[Event]) -> None:
        got.extend(events)
        await count_events(session, events)

    async with running(_runner(parts, log, name, handle).run):
        await publish(log, event_of(tenant_id, key, 7, tombstone=True))
        await effects.wait(tenant_id, {key: 7})
    assert [(event.deleted, event.entity, event.sequence) for event in got] == [(True, None, 7)]
    assert len(await read_all(log, NOTE.name)) == 1


async def test_events_of_a_tenant_that_is_deleted_are_passed_by(
    parts: Parts, log: EmbeddedEventLog, effects: Effects, tenant_id: str, name: str
) -> None:
    deleted, (of_deleted, of_other) = TenantId.new(), _keys(2)
    await parts.run_as_owner(
        f"set app.tenant_id = '{deleted}';"
        f" insert into tenant_state (tenant_id, state, by_whom) values ('{deleted}', 'deleting', '')"
    )
    await publish(
        log, event_of(deleted, of_deleted, 1), event_of(tenant_id, of_other, 1), event_of(deleted, of_deleted, 2)
    )
    async with running(_runner(parts, log, name).run):
        await effects.wait(tenant_id, {of_other: 1})

        async def has_passed() -> bool:
            lags = await log.lag(name, [NOTE.name])
            return all(lag.behind == 0 for lag in lags.values())

        await until(has_passed)
    assert await effects.of(deleted) == {}
