"""The Kafka adapter, on a real Apache Kafka wherever one can be had."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from crm_kit.bus import DEFAULT_PARTITIONS, CompactionPolicy, Record, TopicSpec
from crm_kit.bus.kafka import KafkaEventLog
from crm_kit.bus.kafka.subscription import KafkaSubscription
from crm_kit.bus.kafka.topics import topic_config
from crm_testkit.chaos.clocks import Clocks, can_move_clocks
from crm_testkit.event_log_harness import Ledger, Member, numbered, unique
from crm_testkit.event_log_suite import EventLogSuite
from crm_testkit.kafka_broker import RealKafka
from crm_testkit.writers import read_all

pytestmark = pytest.mark.kafka


NOT_ON_THE_MOCK = {
    "test_members_join_and_leave_while_consuming": "two members in one process never settle",
    "test_a_slow_consumer_holds_up_nobody_and_fills_no_memory": "60 MB do not come through in time",
    "test_a_static_member_returns_to_its_partitions": "a static member does not get its partitions back",
}
"""Seen on librdkafka's mock cluster; all of them pass on Apache Kafka."""


@pytest.fixture(autouse=True)
def skip_what_only_a_real_broker_does(request: pytest.FixtureRequest) -> None:
    reason = NOT_ON_THE_MOCK.get(request.node.name)
    if reason is not None and not request.getfixturevalue("kafka_broker").is_real:
        pytest.skip(f"on librdkafka's mock cluster {reason}")


@dataclass
class BrokerOutage:
    log: KafkaEventLog
    broker: RealKafka

    async def stop(self) -> None:
        await asyncio.to_thread(self.broker.kill)

    async def start(self) -> None:
        await asyncio.to_thread(self.broker.start)


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealKafka]:
    with RealKafka(tmp_path_factory.mktemp("kafka")) as broker:
        if not broker.can_restart:
            pytest.skip(f"{broker.description} cannot be restarted")
        yield broker


class TestKafka(EventLogSuite):
    @pytest.fixture
    def partitions(self, kafka_broker: RealKafka) -> int:
        return DEFAULT_PARTITIONS if kafka_broker.is_real else 4  # the mock creates topics as it likes

    @pytest.fixture
    async def log(self, kafka_broker: RealKafka) -> AsyncIterator[KafkaEventLog]:
        log = KafkaEventLog(kafka_broker.bootstrap_servers, create_topics=kafka_broker.is_real)
        await log.start()
        yield log
        await log.close()

    @pytest.fixture
    async def outage(self, own_broker: RealKafka) -> AsyncIterator[BrokerOutage]:
        await asyncio.to_thread(own_broker.start)
        log = KafkaEventLog(own_broker.bootstrap_servers, acknowledged_within=3.0)
        await log.start()
        yield BrokerOutage(log, own_broker)
        await log.close()


async def test_a_client_that_stops_delivering_is_replaced(kafka_broker: RealKafka) -> None:
    log = KafkaEventLog(kafka_broker.bootstrap_servers, create_topics=kafka_broker.is_real)
    await log.start()
    topic = unique("stalled")
    await log.ensure_topics([TopicSpec(topic)])
    ledger = Ledger()
    member = Member(ledger)
    subscription = KafkaSubscription(kafka_broker.bootstrap_servers, topic, [topic], member, stall_after=1.0)
    member.subscription = subscription
    await log.publish(numbered(topic, ["a"], [1]))
    await member.run(lambda: len(ledger.effects) == 1)
    wedged = subscription._consumer
    wedged.pause(*wedged.assignment())  # delivers nothing, raises nothing: as after a failed rejoin
    await log.publish(numbered(topic, ["a"], [2]))
    await member.run(lambda: len(ledger.effects) == 2, within=30)
    assert ledger.sequences() == {"a": [1, 2]}
    await subscription.close()
    await log.close()


async def test_a_static_member_returns_to_its_partitions(kafka_broker: RealKafka) -> None:
    log = KafkaEventLog(kafka_broker.bootstrap_servers, create_topics=kafka_broker.is_real, group_instance_id="pod-0")
    await log.start()
    topic = unique("static")
    await log.ensure_topics([TopicSpec(topic)])
    ledger = Ledger()
    for n in (1, 2):
        await log.publish([Record(topic, "a", str(n).encode(), {})])
        member = Member(ledger)
        member.subscription = await log.subscribe(topic, [topic], member)
        await member.run(lambda n=n: len(ledger.effects) == n, within=8)  # type: ignore[misc]  # a bound default
        await member.subscription.close()
    assert ledger.sequences() == {"a": [1, 2]}
    await log.close()


def test_a_compacted_topic_states_its_bounds() -> None:
    policy = CompactionPolicy(timedelta(minutes=1), timedelta(hours=2), timedelta(days=3))
    assert topic_config(policy) == {
        "cleanup.policy": "compact",
        "min.compaction.lag.ms": "60000",
        "max.compaction.lag.ms": "7200000",
        "delete.retention.ms": "259200000",
    }


_PUBLISH = """
import asyncio, sys
from crm_kit.bus import Record
from crm_kit.bus.kafka import KafkaEventLog

async def main():
    log = KafkaEventLog(sys.argv[1])
    await log.start()
    await log.publish([Record(sys.argv[2], "key", b"value", {})])
    await log.close()

asyncio.run(main())
"""


@pytest.mark.skipif(not can_move_clocks(), reason="needs a C compiler and LD_PRELOAD")
async def test_a_publisher_whose_clock_is_hours_ahead_is_heard(kafka_broker: RealKafka, tmp_path: Path) -> None:
    log = KafkaEventLog(kafka_broker.bootstrap_servers, create_topics=kafka_broker.is_real)
    await log.start()
    topic = unique("fast-clock")
    await log.ensure_topics([TopicSpec(topic, compacted=True)])
    clocks = Clocks(tmp_path, ["publisher"])
    clocks.move("publisher", 3 * 3600)
    publishing = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _PUBLISH, kafka_broker.bootstrap_servers, topic),
        env={**os.environ, **clocks.environment_of("publisher")},
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaint = await publishing.communicate()
    try:
        assert publishing.returncode == 0, complaint.decode()[-2000:]
        [found] = await read_all(log, topic)
        assert found.timestamp < datetime.now(UTC) + timedelta(hours=1)
    finally:
        await log.close()
