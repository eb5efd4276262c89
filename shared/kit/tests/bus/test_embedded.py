"""The embedded log: the common suite, and what only it promises."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from crm_kit.bus import CompactionPolicy, PublishFailed, Record, TopicSpec
from crm_kit.bus.embedded import EmbeddedEventLog
from crm_kit.db.embedded import EmbeddedPostgres
from crm_testkit.event_log_harness import Ledger, joined, numbered
from crm_testkit.event_log_suite import EventLogSuite

NOW = CompactionPolicy(timedelta(0), timedelta(0), timedelta(0))


@pytest.fixture(scope="module")
def url(event_log_database: Callable[[], str]) -> str:
    return event_log_database()


@pytest.fixture
async def log(url: str) -> AsyncIterator[EmbeddedEventLog]:
    log = EmbeddedEventLog(url, compaction_interval=0)
    await log.start()
    yield log
    await log.close()


@dataclass
class ServerOutage:
    log: EmbeddedEventLog
    server: EmbeddedPostgres

    async def stop(self) -> None:
        await asyncio.to_thread(self.server.kill)

    async def start(self) -> None:
        self.server.prepare()
        self.server.launch()  # in the main thread, as EmbeddedPostgres asks
        await asyncio.to_thread(self.server.wait_ready)


@pytest.fixture(scope="module")
def own_server() -> Iterator[EmbeddedPostgres]:
    folder = Path(tempfile.mkdtemp(prefix="relata-test-"))
    folder.chmod(0o711)
    server = EmbeddedPostgres(folder / "postgres").start()
    yield server
    server.kill()
    shutil.rmtree(folder, ignore_errors=True)


class TestEmbedded(EventLogSuite):
    @pytest.fixture
    async def log(self, url: str) -> AsyncIterator[EmbeddedEventLog]:
        log = EmbeddedEventLog(url, compaction_interval=0)
        await log.start()
        yield log
        await log.close()

    @pytest.fixture
    async def outage(self, own_server: EmbeddedPostgres) -> AsyncIterator[ServerOutage]:
        if own_server.pid is None:
            own_server.start()
        log = EmbeddedEventLog(own_server.superuser_url(), compaction_interval=0)
        await log.start()
        yield ServerOutage(log, own_server)
        await log.close()


async def test_services_that_start_at_once_make_the_tables_together(
    event_log_database: Callable[[], str],
) -> None:
    url = event_log_database()
    logs = [EmbeddedEventLog(url, compaction_interval=0) for _ in range(6)]
    await asyncio.gather(*(log.start() for log in logs))
    await asyncio.gather(*(log.ensure_topics([TopicSpec("a"), TopicSpec("b")]) for log in logs))
    await asyncio.gather(*(log.publish([Record("a", "k", b"1", {})]) for log in logs))
    assert sum(lag.end for lag in (await logs[0].lag("g", ["a"])).values()) == 6
    for log in logs:
        await log.close()


async def test_an_unknown_topic_is_refused(log: EmbeddedEventLog) -> None:
    with pytest.raises(PublishFailed, match="does not exist"):
        await log.publish([Record("nowhere", "k", b"1", {})])


async def test_text_that_postgresql_cannot_hold_is_refused(log: EmbeddedEventLog) -> None:
    await log.ensure_topics([TopicSpec("text")])
    for record in (
        Record("text", "a\0b", b"1", {}),
        Record("text", "k", b"1", {"h": "\0"}),
        Record("text", "k", b"1", {"h": "\ud800"}),
        Record("text", "\ud800", b"1", {}),
    ):
        with pytest.raises(PublishFailed):
            await log.publish([record])
    await log.publish([Record("text", "k", b"1", {})])


async def test_a_member_whose_session_dies_is_replaced_within_seconds(log: EmbeddedEventLog, url: str) -> None:
    await log.ensure_topics([TopicSpec("taken-over")])
    ledger = Ledger()
    async with joined(log, "taking-over", ["taken-over"], ledger) as survivor:
        await survivor.step()
        async with joined(log, "taking-over", ["taken-over"], Ledger()) as victim:
            async with asyncio.timeout(10):
                while len(victim.subscription.assigned) != 6 or len(survivor.subscription.assigned) != 6:
                    await victim.step(wait=0.05)
                    await survivor.step(wait=0.05)
            connection = await asyncpg.connect(url)
            await connection.execute(  # its process dies: the session ends and nobody says good-bye
                "select pg_terminate_backend(pid) from member where grp = 'taking-over' and id = "
                "(select max(id) from member where grp = 'taking-over')"
            )
            await connection.close()
            async with asyncio.timeout(8):
                while len(survivor.subscription.assigned) != 12:
                    await survivor.step(wait=0.1)
            await log.publish(numbered("taken-over", [f"k{n}" for n in range(30)], [1]))
            await survivor.run(lambda: len(ledger.effects) == 30)


async def test_groups_of_one_process_share_a_connection_and_its_loss(log: EmbeddedEventLog, url: str) -> None:
    await log.ensure_topics([TopicSpec("shared")])
    names = ["sharing-a", "sharing-b", "sharing-c"]
    connection = await asyncpg.connect(url)
    async with AsyncExitStack() as stack:
        ledgers = {name: Ledger() for name in names}
        members = [await stack.enter_async_context(joined(log, name, ["shared"], ledgers[name])) for name in names]
        async with joined(log, names[0], ["shared"], Ledger()) as leaving:  # of one group there are two
            for member in (*members, leaving):
                await member.step()
            pids = await connection.fetch("select grp, pid from member where grp = any($1)", names)
        assert len({row["pid"] for row in pids}) == 2
        assert len({row["pid"] for row in pids if row["grp"] == names[0]}) == 2
        await connection.execute("select pg_terminate_backend(pid) from member where grp = $1", names[1])
        await log.publish(numbered("shared", [f"k{n}" for n in range(20)], [1]))
        for name, member in zip(names, members, strict=True):
            await member.run(lambda name=name: len(ledgers[name].effects) == 20)
        await members.pop().subscription.close()
        await log.publish(numbered("shared", [f"k{n}" for n in range(20)], [2]))
        for name, member in zip(names[:2], members, strict=True):
            await member.run(lambda name=name: len(ledgers[name].effects) == 40)
    await connection.close()


async def test_a_waiting_reader_is_woken_at_once(log: EmbeddedEventLog) -> None:
    await log.ensure_topics([TopicSpec("woken")])
    async with joined(log, "woken", ["woken"], Ledger()) as member:
        await member.step()
        loop = asyncio.get_running_loop()
        delays = []
        for n in range(1, 11):
            polling = asyncio.create_task(member.step(wait=5.0))
            await asyncio.sleep(0.1)
            before = loop.time()
            await log.publish(numbered("woken", ["k"], [n]))
            assert await polling == 1
            delays.append(loop.time() - before)
    assert sorted(delays)[5] < 0.3  # looking by itself once a second would take longer


async def test_what_one_poll_leaves_the_next_has_at_once(log: EmbeddedEventLog) -> None:
    """By polls that are shorter than the pause between two looks at everything."""
    topics = ["left-a", "left-b", "left-c"]
    await log.ensure_topics([TopicSpec(topic) for topic in topics])
    ledger = Ledger()
    async with joined(log, "left", topics, ledger) as member:
        await member.step()
        for topic in topics:
            await log.publish(numbered(topic, ["k1", "k2"], [1, 2]))
        await member.run(lambda: bool(ledger.effects))
        while len(ledger.effects) < 12:
            assert await member.step(max_records=1, wait=0.2) == 1
        first = min(ledger.positions, key=str)
        await member.subscription.seek(first, 0)
        batch = await member.subscription.poll(500, 0.2)
        assert [len(records) for records in batch.values()] == [ledger.positions[first]]


async def test_a_record_of_which_nobody_was_told_is_found(log: EmbeddedEventLog, url: str) -> None:
    await log.ensure_topics([TopicSpec("untold")])
    ledger = Ledger()
    connection = await asyncpg.connect(url)
    async with joined(log, "untold", ["untold"], ledger) as member:
        await member.step()
        async with connection.transaction():  # by its tables alone, as after a NOTIFY that was lost
            await connection.execute(
                "update topic_partition set next_offset = 1 where topic = 'untold' and partition = 0"
            )
            await connection.execute("insert into record values ('untold', 0, 0, 'k', 'v', '{}', now())")
        await member.run(lambda: len(ledger.effects) == 1)
    await connection.close()


class TestCompaction:
    @pytest.fixture
    def url(self, event_log_database: Callable[[], str]) -> str:
        return event_log_database()

    async def read(self, log: EmbeddedEventLog, topic: str, group: str) -> list[tuple[str, bytes | None]]:
        ledger = Ledger()
        async with joined(log, group, [topic], ledger) as member:
            while await member.step(wait=0.5):
                pass
        return [(record.key, record.value) for record in ledger.effects]

    async def test_the_newest_record_of_each_key_is_kept(self, url: str) -> None:
        log = EmbeddedEventLog(url, compaction=NOW, compaction_interval=0)
        await log.start()
        await log.ensure_topics([TopicSpec("kept"), TopicSpec("all", compacted=False)])
        keys = [f"k{n}" for n in range(50)]
        await log.publish(numbered("kept", keys, range(1, 101)))
        await log.publish(numbered("all", keys, range(1, 3)))
        assert await log.compact() == 50 * 99
        assert await log.compact() == 0
        assert sorted(await self.read(log, "kept", "g1")) == sorted((key, b"100 ") for key in keys)
        assert len(await self.read(log, "all", "g1")) == 100
        await log.publish(numbered("kept", keys[:10], [101]))  # offsets go on where they were
        assert await log.compact() == 10
        assert sorted(await self.read(log, "kept", "g2"))[0] == ("k0", b"101 ")
        await log.close()

    async def test_young_records_are_not_touched(self, url: str) -> None:
        young = CompactionPolicy(timedelta(hours=1), timedelta(hours=2), timedelta(0))
        log = EmbeddedEventLog(url, compaction=young, compaction_interval=0)
        await log.start()
        await log.ensure_topics([TopicSpec("young")])
        await log.publish([*numbered("young", ["a"], range(1, 11)), Record("young", "a", None, {})])
        assert await log.compact() == 0
        assert len(await self.read(log, "young", "young")) == 11
        await log.close()

    async def test_a_tombstone_outlives_its_records_for_its_retention(self, url: str) -> None:
        keep = CompactionPolicy(timedelta(0), timedelta(0), timedelta(hours=1))
        log = EmbeddedEventLog(url, compaction=keep, compaction_interval=0)
        await log.start()
        await log.ensure_topics([TopicSpec("erased")])
        await log.publish([*numbered("erased", ["a", "b"], [1, 2]), Record("erased", "a", None, {})])
        assert await log.compact() == 3
        assert sorted(await self.read(log, "erased", "e1")) == [("a", None), ("b", b"2 ")]
        await log.close()
        log = EmbeddedEventLog(url, compaction=NOW, compaction_interval=0)
        await log.start()
        assert await log.compact() >= 1
        assert await self.read(log, "erased", "e2") == [("b", b"2 ")]
        await log.close()

    async def test_a_reader_in_the_middle_is_not_disturbed_by_gaps(self, url: str) -> None:
        log = EmbeddedEventLog(url, compaction=NOW, compaction_interval=0)
        await log.start()
        await log.ensure_topics([TopicSpec("gaps")])
        ledger = Ledger()
        async with joined(log, "gaps", ["gaps"], ledger) as member:
            await log.publish(numbered("gaps", ["a", "b", "c"], range(1, 21)))
            await member.step(max_records=7)
            await log.compact()
            await log.publish(numbered("gaps", ["a", "b", "c"], [21]))
            await member.run(lambda: all(numbers[-1] == 21 for numbers in ledger.sequences().values()))
        assert all(numbers == sorted(numbers) for numbers in ledger.sequences().values())
        await log.close()

    async def test_it_runs_by_itself(self, url: str) -> None:
        log = EmbeddedEventLog(url, compaction=NOW, compaction_interval=0.1)
        await log.start()
        await log.ensure_topics([TopicSpec("periodic")])
        await log.publish(numbered("periodic", ["a"], range(1, 31)))
        await asyncio.sleep(1.0)
        assert await self.read(log, "periodic", "periodic") == [("a", b"30 ")]
        await log.close()
