"""What holds for the rebuild of any projection: here a table that counts what was applied."""

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import pytest_asyncio
from crm_contracts.envelope import Event
from crm_contracts.ids import TenantId, new_id
from crm_kit.bus import CompactionPolicy, TopicSpec
from crm_kit.bus.embedded import EmbeddedEventLog
from crm_kit.db.session import Database, WriteSession
from crm_kit.inbox import Consumer, ConsumerRunner, Projection
from crm_kit.inbox.applying import Handler
from crm_kit.manifest import Feature
from crm_kit.rebuild import Progress, Rebuild, RebuildFailed, open_rebuild
from crm_kit.rebuild.command import chosen
from crm_kit.settings import ServiceSettings, SettingsError
from crm_testkit.effects import Effects, count_blindly, count_events, event_of, publish, record_of
from crm_testkit.toy_service import NOTE, toy_manifest
from crm_testkit.toy_service.fixtures import Parts
from crm_testkit.writers import running, until
from sqlalchemy import text

HERE = {"search_path": "rebuild, public"}


@pytest.fixture
def name() -> str:
    return new_id("consumer")


@pytest_asyncio.fixture(autouse=True)
async def nothing_counted(parts: Parts, effects: Effects) -> None:
    await parts.run_as_owner("truncate effect")


def counting(name: str, handle: Handler = count_events, *tables: str) -> Consumer:
    return Consumer(name=name, topics=(NOTE,), handle=handle, projection=Projection(tables=tables or ("effect",)))


def live(parts: Parts, log: EmbeddedEventLog, consumer: Consumer) -> ConsumerRunner:
    return ConsumerRunner(consumer, parts.app, log, service="toy")


@asynccontextmanager
async def rebuilding(parts: Parts, log: EmbeddedEventLog, consumer: Consumer) -> AsyncIterator[Rebuild]:
    owner, app = Database(parts.urls.owner, settings=HERE), Database(parts.urls.app, settings=HERE)
    try:
        yield Rebuild(consumer, owner, app, log, service="toy", progress=Progress(consumer.name, io.StringIO()))
    finally:
        await owner.close()
        await app.close()


async def rebuild(parts: Parts, log: EmbeddedEventLog, consumer: Consumer) -> list[str]:
    async with rebuilding(parts, log, consumer) as made:
        return [str(difference) for difference in await made.run()]


async def test_a_switch_while_events_come_counts_each_once(
    parts: Parts, log: EmbeddedEventLog, effects: Effects, tenant_id: str, name: str
) -> None:
    """Counting without a guard shows every event that the switch would lose, or apply twice."""
    keys = [new_id("note") for _ in range(30)]
    consumer, version = counting(name, count_blindly), 0
    async with running(live(parts, log, consumer).run):
        switching = asyncio.create_task(rebuild(parts, log, consumer))
        while not switching.done() or version < 20:
            version += 1
            await publish(log, *[event_of(tenant_id, key, version) for key in keys])
            await asyncio.sleep(0.1)
        await switching
        await effects.wait(tenant_id, dict.fromkeys(keys, version))
    assert await effects.faults(tenant_id, dict.fromkeys(keys, version)) == {}


async def test_without_a_live_consumer_the_rebuild_makes_all_of_it(
    parts: Parts, log: EmbeddedEventLog, effects: Effects, tenant_id: str, name: str
) -> None:
    key = new_id("note")
    await publish(log, *[event_of(tenant_id, key, version) for version in (1, 2, 3)])
    await rebuild(parts, log, counting(name))
    assert await effects.of(tenant_id) == {key: (3, 3)}
    await publish(log, event_of(tenant_id, key, 4))
    async with running(live(parts, log, counting(name)).run):
        await effects.wait(tenant_id, {key: 4})
    assert await effects.of(tenant_id) == {key: (4, 4)}, "the live consumer goes on where the rebuild ended"


async def test_parked_events_are_those_that_the_rebuild_could_not_apply(
    parts: Parts, log: EmbeddedEventLog, effects: Effects, tenant_id: str, name: str
) -> None:
    healed, hopeless, fine = (new_id("note") for _ in range(3))

    def refusing(*keys: str) -> Handler:
        async def handle(session: WriteSession, events: Sequence[Event]) -> None:
            if any(event.subject in keys for event in events):
                raise ValueError("not this one")
            await count_events(session, events)

        return handle

    await publish(log, *[event_of(tenant_id, key, 1) for key in (healed, hopeless, fine)])
    broken = counting(name, refusing(healed, hopeless))

    async def both_parked() -> bool:
        return len(await effects.parked(tenant_id, name)) == 2

    async with running(live(parts, log, broken).run):
        await effects.wait(tenant_id, {fine: 1})
        await until(both_parked)
    differences = await rebuild(parts, log, counting(name, refusing(hopeless)))
    assert differences == [f"effect: 1 only rebuilt: {tenant_id}"]
    assert await effects.of(tenant_id) == {healed: (1, 1), fine: (1, 1)}
    assert [key for key, _ in await effects.parked(tenant_id, name)] == [hopeless]


async def test_a_log_whose_newest_records_compaction_has_removed_is_read_to_its_end(
    parts: Parts, event_log_database: object, effects: Effects, tenant_id: str, name: str
) -> None:
    assert callable(event_log_database)
    soon = CompactionPolicy(min_age=timedelta(0), tombstone_retention=timedelta(0))
    log = EmbeddedEventLog(event_log_database(), compaction=soon, compaction_interval=0)
    await log.start()
    await log.ensure_topics([TopicSpec(NOTE.name)])
    gone, kept = new_id("note"), new_id("note")
    try:
        await publish(log, event_of(tenant_id, kept, 1), event_of(tenant_id, gone, 1))
        await publish(log, event_of(tenant_id, gone, 2, tombstone=True))
        async with running(live(parts, log, counting(name)).run):
            await effects.wait(tenant_id, {kept: 1, gone: 2})
            await asyncio.sleep(0.05)
            await log.compact()
            assert await rebuild(parts, log, counting(name)) == [f"effect: 1 only live: {tenant_id}"]
            assert await effects.of(tenant_id) == {kept: (1, 1)}
            await publish(log, event_of(tenant_id, gone, 3), event_of(tenant_id, kept, 2))
            await effects.wait(tenant_id, {kept: 2, gone: 3})
    finally:
        await log.close()


async def test_rows_that_a_long_reader_holds_are_waited_for_and_nobody_is_held_up(
    parts: Parts, log: EmbeddedEventLog, effects: Effects, tenant_id: str, name: str
) -> None:
    key = new_id("note")
    await publish(log, event_of(tenant_id, key, 1))
    async with parts.app.read(tenant_id) as reader:
        await reader.scalar(text("select count(*) from effect"))
        switching = asyncio.create_task(rebuild(parts, log, counting(name)))
        for _ in range(20):
            async with asyncio.timeout(2):
                await effects.of(tenant_id)
            await asyncio.sleep(0.05)
        assert not switching.done()
    await switching
    assert await effects.of(tenant_id) == {key: (1, 1)}


async def test_a_migration_meanwhile_is_not_undone(
    parts: Parts, log: EmbeddedEventLog, effects: Effects, tenant_id: str, name: str
) -> None:
    async def migrate_meanwhile(session: WriteSession, events: Sequence[Event]) -> None:
        await parts.run_as_owner("update alembic_version set version_num = '0002_later'")
        await count_events(session, events)

    await publish(log, event_of(tenant_id, new_id("note"), 1))
    try:
        with pytest.raises(RebuildFailed, match="has been migrated meanwhile"):
            await rebuild(parts, log, counting(name, migrate_meanwhile))
    finally:
        await parts.run_as_owner("update alembic_version set version_num = '0001_initial'")
    assert await effects.of(tenant_id) == {}


async def test_another_log_is_not_taken_for_the_right_one(
    parts: Parts, log: EmbeddedEventLog, effects: Effects, event_log_database: object, tenant_id: str, name: str
) -> None:
    assert callable(event_log_database)
    key = new_id("note")
    await publish(log, event_of(tenant_id, key, 1))
    async with running(live(parts, log, counting(name)).run):
        await effects.wait(tenant_id, {key: 1})
    empty = EmbeddedEventLog(event_log_database(), compaction_interval=0)
    await empty.start()
    await empty.ensure_topics([TopicSpec(NOTE.name)])
    try:
        with pytest.raises(RebuildFailed, match="is this the right log"):
            await rebuild(parts, empty, counting(name))
    finally:
        await empty.close()
    assert await effects.of(tenant_id) == {key: (1, 1)}


async def test_a_consumer_that_acts_on_events_is_refused(parts: Parts, log: EmbeddedEventLog, name: str) -> None:
    acting = Consumer(name=name, topics=(NOTE,), handle=count_events)
    with pytest.raises(RebuildFailed, match=f"{name} keeps no projection"):
        await rebuild(parts, log, acting)


@pytest.mark.parametrize(
    ("named", "consumers", "said"),
    [
        (None, [], "toy keeps no projection: there is nothing to rebuild"),
        (None, ["acts"], "toy keeps no projection: there is nothing to rebuild"),
        (None, ["acts", "first"], None),
        (None, ["first", "second"], "which one"),
        ("second", ["first", "second"], None),
        ("third", ["first", "second"], "third is no consumer of toy; there are: first, second"),
    ],
)
def test_which_projection_is_meant(named: str | None, consumers: list[str], said: str | None) -> None:
    made = [
        counting(one) if one != "acts" else Consumer(name=one, topics=(NOTE,), handle=count_events) for one in consumers
    ]
    manifest = toy_manifest(Feature(consumers=tuple(made)))
    if said is None:
        assert chosen(manifest, named).name == (named or "first")
    else:
        with pytest.raises(RebuildFailed, match=said):
            chosen(manifest, named)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("create view shown as select * from effect", "is shown by a view"),
        ("create table child (t text, k text, foreign key (t, k) references effect)", "has a foreign key"),
        (
            "create function nothing() returns trigger language plpgsql as 'begin return null; end';"
            " create trigger shown after insert on effect execute function nothing()",
            "has a trigger",
        ),
    ],
)
async def test_a_table_that_others_hold_on_to_is_refused(
    parts: Parts, log: EmbeddedEventLog, effects: Effects, name: str, statement: str, reason: str
) -> None:
    await parts.run_as_owner(statement)
    try:
        with pytest.raises(RebuildFailed, match=f"the table effect {reason}"):
            await rebuild(parts, log, counting(name))
    finally:
        await parts.run_as_owner("drop view if exists shown; drop table if exists child")
        await parts.run_as_owner("drop trigger if exists shown on effect; drop function if exists nothing()")


async def test_what_a_tenant_has_is_its_own_in_the_new_tables_too(
    parts: Parts, log: EmbeddedEventLog, effects: Effects, tenant_id: str, name: str
) -> None:
    other, mine, theirs = TenantId.new(), new_id("note"), new_id("note")
    await log.publish([record_of(event_of(tenant_id, mine, 1)), record_of(event_of(other, theirs, 1))])
    await rebuild(parts, log, counting(name))
    assert await effects.of(tenant_id) == {mine: (1, 1)}
    assert await effects.of(other) == {theirs: (1, 1)}
    assert await effects.of("") == {}


async def test_the_owner_is_needed(parts: Parts, log: EmbeddedEventLog, name: str) -> None:
    settings = ServiceSettings(
        database_url=parts.urls.app,
        system_database_url=parts.urls.system,
        event_log_url="postgresql://nobody@127.0.0.1/none",
        environment="development",
        secret="only-for-tests-0123456789abcdefgh",
    )
    with pytest.raises(SettingsError, match="TOY_OWNER_DATABASE_URL: is needed to rebuild"):
        async with open_rebuild(counting(name), settings, "toy", Progress(name)):
            pass
