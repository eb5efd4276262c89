"""What every event log must do: one suite, inherited by a test class for each adapter."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import psutil
import pytest
from crm_kit.bus import (
    DEFAULT_PARTITIONS,
    MAX_RECORD_BYTES,
    EventLog,
    EventLogError,
    Record,
    RecordTooLarge,
    StoredRecord,
    TopicPartition,
    TopicSpec,
    Unavailable,
)

from crm_testkit.event_log_harness import (
    Ledger,
    Member,
    Outage,
    batches,
    joined,
    numbered,
    publish_until_stored,
    running,
    unique,
    without_repeats,
)


class EventLogSuite:
    """Inherit and provide the fixtures `log` (a started EventLog) and `outage`."""

    @pytest.fixture
    def partitions(self) -> int:
        """How many partitions a topic gets."""
        return DEFAULT_PARTITIONS

    @pytest.fixture
    def log(self) -> EventLog:
        """The log under test, started."""
        raise NotImplementedError

    @pytest.fixture
    def outage(self) -> Outage:
        """A log whose server the test may stop."""
        raise NotImplementedError

    @pytest.fixture
    def group(self) -> str:
        """A group that no other test uses."""
        return unique("group")

    @pytest.fixture
    async def topic(self, log: EventLog) -> str:
        """A fresh topic."""
        name = unique("suite.topic")
        await log.ensure_topics([TopicSpec(name)])
        return name

    async def test_order_is_kept_per_key_under_concurrent_publishers(
        self, log: EventLog, topic: str, group: str
    ) -> None:
        async def publisher(number: int) -> None:
            keys = [f"p{number}-k{key}" for key in range(4)]
            for batch in batches(numbered(topic, keys, range(1, 51)), 40, seed=number):
                await log.publish(batch)

        ledger = Ledger()
        async with joined(log, group, [topic], ledger) as member:
            await asyncio.gather(
                *(publisher(number) for number in range(8)),
                member.run(lambda: len(ledger.effects) >= 8 * 4 * 50),
            )
        assert len(ledger.sequences()) == 32
        assert all(numbers == list(range(1, 51)) for numbers in ledger.sequences().values())

    async def test_a_key_always_goes_to_the_same_partition(self, log: EventLog, topic: str, group: str) -> None:
        ledger = Ledger()
        await log.publish(numbered(topic, [f"k{n}" for n in range(60)], range(1, 4)))
        async with joined(log, group, [topic], ledger) as member:
            await member.run(lambda: len(ledger.effects) >= 180)
        places = {(record.key, record.partition) for record in ledger.effects}
        assert len(places) == 60
        assert len({partition for _, partition in places}) > 1

    async def test_a_record_is_delivered_again_when_its_position_was_not_stored(
        self, log: EventLog, topic: str, group: str
    ) -> None:
        await log.publish(numbered(topic, ["a", "b", "c"], range(1, 11)))
        crashed = Ledger()
        async with joined(log, group, [topic], crashed) as member:
            await member.run(lambda: len(crashed.effects) >= 30)  # commits to the log, which must not count
        after = Ledger()
        async with joined(log, group, [topic], after) as member:
            await member.run(lambda: len(after.effects) >= 30)
        assert after.sequences() == crashed.sequences()

    async def test_a_member_continues_at_its_stored_position_and_not_before(
        self, log: EventLog, topic: str, group: str
    ) -> None:
        ledger = Ledger()
        await log.publish(numbered(topic, ["a"], range(1, 101)))
        async with joined(log, group, [topic], ledger) as member:
            await member.run(lambda: len(ledger.effects) >= 100)
        tp = ledger.effects[0].topic_partition
        middle = ledger.effects[40].offset
        # The log was told 100 records; the consumer's own store says 40 and decides.
        restored = Ledger()
        restored.positions[tp] = middle
        async with joined(log, group, [topic], restored) as member:
            await member.run(lambda: len(restored.effects) >= 60)
        assert restored.sequences()["a"] == list(range(41, 101))

    async def test_a_position_behind_the_end_means_another_log_which_is_read_from_its_beginning(
        self, log: EventLog, topic: str, group: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        await log.publish(numbered(topic, ["a"], range(1, 6)))
        ledger = Ledger()
        async with joined(log, group, [topic], ledger) as member:
            await member.run(lambda: len(ledger.effects) >= 5)
        tp = ledger.effects[0].topic_partition
        others = {TopicPartition(topic, number) for number in range(DEFAULT_PARTITIONS)} - {tp}
        of_another = (
            Ledger()
        )  # the topic was lost and made anew, and a backup of the log is older than one of the consumer
        of_another.positions = {tp: ledger.positions[tp] + 1} | dict.fromkeys(others, 7)
        async with joined(log, group, [topic], of_another) as member:
            await member.run(lambda: len(of_another.effects) >= 5)
            await log.publish(numbered(topic, [f"k{n}" for n in range(40)], [1]))
            await member.run(lambda: len(of_another.effects) >= 45)
        assert len(of_another.sequences()) == 41
        assert of_another.sequences()["a"] == [1, 2, 3, 4, 5]
        assert str(tp.partition) in caplog.text
        assert "was lost or replaced" in caplog.text

    async def test_seek_reads_again_from_there(self, log: EventLog, topic: str, group: str) -> None:
        ledger = Ledger()
        await log.publish(numbered(topic, ["a"], range(1, 51)))
        async with joined(log, group, [topic], ledger) as member:
            await member.run(lambda: len(ledger.effects) >= 50)
            tp = ledger.effects[0].topic_partition
            await member.subscription.seek(tp, ledger.effects[30].offset)
            again: list[StoredRecord] = []
            async with asyncio.timeout(20):
                while len(again) < 20:
                    again += (await member.subscription.poll(100, 0.3)).get(tp, [])
        assert [int(record.value or b"0") for record in again] == list(range(31, 51))

    async def test_failing_to_load_positions_is_raised_and_can_be_repeated(
        self, log: EventLog, topic: str, group: str
    ) -> None:
        ledger = Ledger()
        member = Member(ledger)
        failures = [ConnectionRefusedError("the consumer's own database is down")]

        class Failing:
            async def load(self, group: str, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
                if failures:
                    raise failures.pop()
                return await member.load(group, partitions)

        await log.publish(numbered(topic, ["a"], range(1, 6)))
        member.subscription = await log.subscribe(group, [topic], Failing())
        try:
            with pytest.raises(ConnectionRefusedError):
                await member.run(lambda: False, within=20)
            await member.run(lambda: len(ledger.effects) >= 5)
        finally:
            await member.subscription.close()
        assert ledger.sequences() == {"a": [1, 2, 3, 4, 5]}

    async def test_members_join_and_leave_while_consuming(self, log: EventLog, topic: str, group: str) -> None:
        keys = [f"k{n}" for n in range(40)]
        ledger = Ledger()
        total = len(keys) * 150
        stop = asyncio.Event()

        async def publish() -> None:
            for n in range(1, 151):
                await log.publish(numbered(topic, keys, [n]))
                await asyncio.sleep(0.05)

        async with (
            joined(log, group, [topic], ledger) as first,
            running(publish()) as publishing,
            running(first.run(lambda: len(ledger.effects) >= total, within=90)) as consuming,
        ):
            await asyncio.sleep(1.0)
            async with (
                joined(log, group, [topic], ledger) as second,
                running(second.run(stop.is_set, within=90)) as helping,
            ):
                async with asyncio.timeout(40):
                    while not second.subscription.assigned or not first.subscription.assigned:
                        await asyncio.sleep(0.05)
                    await asyncio.sleep(1.0)
                assert not first.subscription.assigned & second.subscription.assigned
                stop.set()
                await helping
            await publishing
            await consuming
            assert len(first.subscription.assigned) == DEFAULT_PARTITIONS
        assert ledger.sequences() == {key: list(range(1, 151)) for key in keys}

    async def test_publishing_and_consuming_survive_a_restart_of_the_server(self, outage: Outage, group: str) -> None:
        log = outage.log
        await log.ensure_topics([TopicSpec("restart")])
        keys = [f"k{n}" for n in range(10)]
        ledger = Ledger()
        refused = 0

        async def publish() -> None:
            nonlocal refused
            for n in range(1, 101):
                refused += await publish_until_stored(log, numbered("restart", keys, [n]))
                await asyncio.sleep(0.03)

        def complete() -> bool:
            return all(ledger.sequences().get(key, [0])[-1] == 100 for key in keys)

        async with (
            joined(log, group, ["restart"], ledger) as member,
            running(publish()) as publishing,
            running(member.run(complete, within=120)) as consuming,
        ):
            await asyncio.sleep(1.0)
            assert not publishing.done()
            await outage.stop()
            with pytest.raises(Unavailable):
                await log.publish(numbered("restart", ["during"], [1]))
            await asyncio.sleep(0.5)
            await outage.start()
            await publishing
            async with asyncio.timeout(100):
                await consuming
        assert refused > 0
        ledger.effects = [record for record in ledger.effects if record.key != "during"]
        found = {key: without_repeats(numbers) for key, numbers in ledger.sequences().items()}
        assert found == {key: list(range(1, 101)) for key in keys}

    async def test_closing_is_quick_while_the_server_is_away(self, outage: Outage, group: str) -> None:
        await outage.log.ensure_topics([TopicSpec("closing")])
        async with joined(outage.log, group, ["closing"], Ledger()) as member:
            await outage.log.publish(numbered("closing", ["a"], [1]))
            await member.run(lambda: len(member.ledger.effects) == 1)
            await outage.stop()
            assert await member.subscription.poll(10, 1.0) == {}
            async with asyncio.timeout(12):
                await member.subscription.close()

    async def test_a_slow_consumer_holds_up_nobody_and_fills_no_memory(
        self, log: EventLog, topic: str, group: str
    ) -> None:
        body = b"1 " + b"x" * 100_000
        for _ in range(12):
            await log.publish([Record(topic, f"k{n}", body, {}) for n in range(50)])
        slow, quick = Ledger(), Ledger()
        async with joined(log, group, [topic], slow) as sleeper:
            await sleeper.run(lambda: len(slow.effects) > 0)
            async with asyncio.timeout(5):
                assert await sleeper.step(max_records=5, wait=2.0) <= 5
            before = psutil.Process().memory_info().rss
            taken = len(slow.effects)
            async with joined(log, f"{group}-quick", [topic], quick) as runner:
                seen = 0
                async with asyncio.timeout(40):
                    while seen < 600:
                        seen += await runner.step(max_records=50)
                        quick.effects.clear()
            await asyncio.sleep(0.5)
            grown = psutil.Process().memory_info().rss - before
            assert len(slow.effects) == taken
            assert grown < 45_000_000  # of 60 MB published
            await sleeper.run(lambda: len(slow.effects) >= 600)

    async def test_a_new_group_reads_from_the_beginning_and_groups_are_independent(
        self, log: EventLog, topic: str, group: str
    ) -> None:
        early, late = Ledger(), Ledger()
        async with joined(log, group, [topic], early) as member:
            await log.publish(numbered(topic, ["a", "b"], range(1, 26)))
            await member.run(lambda: len(early.effects) >= 50)
            async with joined(log, f"{group}-late", [topic], late) as other:
                await other.run(lambda: len(late.effects) >= 50)
                await log.publish(numbered(topic, ["a"], [26]))
                await other.run(lambda: len(late.effects) >= 51)
            await member.run(lambda: len(early.effects) >= 51)
        assert early.sequences() == late.sequences()
        assert early.sequences()["a"] == list(range(1, 27))

    async def test_one_member_reads_several_topics(
        self, log: EventLog, topic: str, group: str, partitions: int
    ) -> None:
        other = f"{topic}-other"
        await log.ensure_topics([TopicSpec(other), TopicSpec(topic)])
        await log.publish([*numbered(topic, ["a"], [1, 2]), *numbered(other, ["b"], [1, 2])])
        ledger = Ledger()
        async with joined(log, group, [topic, other], ledger) as member:
            await member.run(lambda: len(ledger.effects) >= 4)
            assert len(member.subscription.assigned) == 2 * partitions
        assert ledger.sequences() == {"a": [1, 2], "b": [1, 2]}

    async def test_lag_counts_what_a_group_has_not_reported(
        self, log: EventLog, topic: str, group: str, partitions: int
    ) -> None:
        await log.publish(numbered(topic, [f"k{n}" for n in range(20)], range(1, 6)))
        lag = await log.lag(group, [topic])
        assert len(lag) == partitions
        assert sum(each.behind for each in lag.values()) == 100
        ledger = Ledger()
        async with joined(log, group, [topic], ledger) as member:
            await member.run(lambda: len(ledger.effects) >= 100)
            async with asyncio.timeout(10):
                while sum(each.behind for each in (await log.lag(group, [topic])).values()) > 0:
                    await asyncio.sleep(0.1)
            await log.publish(numbered(topic, ["k1"], [6, 7, 8]))
            lag = await log.lag(group, [topic])
        assert sum(each.behind for each in lag.values()) == 3
        assert {tp: each.position for tp, each in lag.items() if tp in ledger.positions} == ledger.positions

    async def test_tombstones_headers_and_text_come_back_as_they_went(
        self, log: EventLog, topic: str, group: str
    ) -> None:
        sent = [
            Record(topic, "键-1", "张伟 <zhang@example.cn>".encode(), {"ce_type": "a.b.v1", "ce_subject": "客户 ✓"}),
            Record(topic, "键-1", None, {"ce_type": "a.b.deleted.v1", "ce_sequence": "2"}),
            Record(topic, "键-1", b"", {}),
            Record(topic, "键-1", bytes(range(256)), {"quote": '"\\', "empty": ""}),
        ]
        before = datetime.now(UTC)
        await log.publish(sent)
        ledger = Ledger()
        async with joined(log, group, [topic], ledger) as member:
            await member.run(lambda: len(ledger.effects) >= 4)
        found = ledger.effects
        assert [(r.topic, r.key, r.value, dict(r.headers)) for r in found] == [
            (r.topic, r.key, r.value, dict(r.headers)) for r in sent
        ]
        assert [r.offset for r in found] == sorted({r.offset for r in found})
        for record in found:
            assert record.timestamp.utcoffset() == timedelta(0)
            assert abs(record.timestamp - before) < timedelta(seconds=30)

    async def test_a_batch_of_five_thousand_records(self, log: EventLog, topic: str, group: str) -> None:
        await log.publish(numbered(topic, [f"k{n}" for n in range(100)], range(1, 51), size=500))
        ledger = Ledger()
        async with joined(log, group, [topic], ledger) as member:
            await member.run(lambda: len(ledger.effects) >= 5_000)
        assert all(numbers == list(range(1, 51)) for numbers in ledger.sequences().values())

    async def test_publishing_nothing_is_nothing(self, log: EventLog) -> None:
        await log.publish([])

    async def test_a_record_that_is_too_large_is_refused_and_nothing_wedges(
        self, log: EventLog, topic: str, group: str
    ) -> None:
        largest = Record(topic, "large", b"1 ".ljust(MAX_RECORD_BYTES - len("large"), b"x"), {})
        too_large = Record(topic, "large", b"x" * MAX_RECORD_BYTES, {})
        with pytest.raises(RecordTooLarge) as refusal:
            await log.publish([*numbered(topic, ["a"], [1]), too_large])
        assert refusal.value.record is too_large
        assert not refusal.value.transient
        await log.publish([largest, *numbered(topic, ["a"], [2])])
        ledger = Ledger()
        async with joined(log, group, [topic], ledger) as member:
            await member.run(lambda: len(ledger.effects) >= 2)
        assert ledger.sequences() == {"large": [1], "a": [2]}

    async def test_topics_can_be_ensured_by_several_at_once(self, log: EventLog) -> None:
        names = [unique("suite.ensured") for _ in range(3)]
        await asyncio.gather(*(log.ensure_topics([TopicSpec(name) for name in names]) for _ in range(3)))
        await log.publish([Record(name, "a", b"1", {}) for name in names])

    async def test_polling_an_idle_log_waits_and_returns_nothing(self, log: EventLog, topic: str, group: str) -> None:
        async with joined(log, group, [topic], Ledger()) as member:
            async with asyncio.timeout(20):
                while not member.subscription.assigned:
                    await member.step()
            loop = asyncio.get_running_loop()
            before = loop.time()
            assert await member.subscription.poll(10, 0.7) == {}
            assert 0.5 < loop.time() - before < 3.0

    def test_every_error_says_whether_to_try_again(self) -> None:
        assert Unavailable.transient
        assert not EventLogError.transient
        assert not RecordTooLarge.transient
