"""What needs no server: choosing an adapter, sizes, range assignment."""

import subprocess
import sys
from dataclasses import dataclass
from typing import Literal

import pytest
from crm_kit.bus import KafkaAccess, Record, TopicPartition, open_event_log
from crm_kit.bus.embedded import EmbeddedEventLog
from crm_kit.bus.embedded.assignment import assign_ranges, ownership_lock
from crm_kit.bus.kafka import KafkaEventLog
from crm_kit.bus.port import record_size
from hypothesis import given
from hypothesis import strategies as st


@dataclass(frozen=True)
class Settings:
    bus: Literal["embedded", "kafka"]
    event_log_url: str | None = None
    kafka_bootstrap_servers: str | None = None
    kafka_replication_factor: int = 1
    kafka_create_topics: bool = True
    kafka_group_instance_id: str | None = None

    def kafka_access(self) -> KafkaAccess:
        return KafkaAccess()


async def test_the_settings_choose_the_adapter() -> None:
    assert isinstance(open_event_log(Settings("embedded", "postgresql://h/d")), EmbeddedEventLog)
    assert isinstance(open_event_log(Settings("kafka", kafka_bootstrap_servers="127.0.0.1:9092")), KafkaEventLog)
    with pytest.raises(ValueError, match="EVENT_LOG_URL"):
        open_event_log(Settings("embedded"))
    with pytest.raises(ValueError, match="KAFKA_BOOTSTRAP_SERVERS"):
        open_event_log(Settings("kafka"))


def test_the_port_loads_no_client_library() -> None:
    code = "import sys, crm_kit.bus; print(sorted({'aiokafka', 'asyncpg', 'crm_kit.bus.kafka'} & sys.modules.keys()))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"


def test_the_size_of_a_record_counts_bytes() -> None:
    assert record_size(Record("t", "键", "值".encode(), {"a": "值"})) == 3 + 3 + 1 + 3 + 10
    assert record_size(Record("t", "k", None, {})) == 1


MEMBERS = st.dictionaries(st.integers(1, 50), st.sets(st.sampled_from("abc"), min_size=1).map(sorted), max_size=8)
PARTITIONS = st.dictionaries(st.sampled_from("abc"), st.integers(1, 24), min_size=1)


@given(MEMBERS, PARTITIONS)
def test_each_partition_has_one_reader_among_its_subscribers(
    members: dict[int, list[str]], partitions: dict[str, int]
) -> None:
    shares = assign_ranges(members, partitions)
    for topic, count in partitions.items():
        subscribers = [member for member, topics in members.items() if topic in topics]
        for partition in range(count):
            readers = [member for member in members if TopicPartition(topic, partition) in shares[member]]
            assert len(readers) == (1 if subscribers else 0)
            assert set(readers) <= set(subscribers)
        sizes = [sum(tp.topic == topic for tp in shares[member]) for member in subscribers]
        assert not sizes or max(sizes) - min(sizes) <= 1


def test_ownership_locks_differ_by_group_topic_and_partition() -> None:
    locks = {
        ownership_lock(group, TopicPartition(topic, partition))
        for group in ("g", "h")
        for topic in ("a", "b")
        for partition in range(12)
    }
    assert len(locks) == 48
    assert all(-(2**63) <= lock < 2**63 for lock in locks)
