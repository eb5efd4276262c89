"""Our Kafka messages, read with a plain consumer and the CloudEvents project's own SDK."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import orjson
import pytest
import pytest_asyncio
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka
from cloudevents.core.formats.json import JSONFormat
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, Producer, TopicPartition
from crm_contracts.registry import BY_NAME, EVERY_TOPIC, PARTITIONS
from crm_testkit.kafka_broker import RealKafka
from crm_testkit.one_of_everything import CONTACTS, DEALS, MESSAGES, TICKETS, make_one_of_everything
from crm_testkit.whole_stack import Relata

pytestmark = pytest.mark.kafka

_REQUIRED = {
    "ce_specversion",
    "ce_id",
    "ce_source",
    "ce_type",
    "ce_subject",
    "ce_time",
    "ce_tenantid",
    "ce_sequence",
    "ce_partitionkey",
}
_OPTIONAL = {
    "ce_traceparent",
    "ce_actorid",
    "ce_correlationid",
    "ce_causationid",
    "ce_hops",
    "ce_dataschema",
    "ce_erased",
    "content-type",
}


@dataclass(frozen=True)
class Read:
    topic: str
    partition: int
    offset: int
    key: str
    headers: dict[str, str]
    value: bytes | None

    @property
    def sequence(self) -> int:
        return int(self.headers["ce_sequence"])


@dataclass(frozen=True)
class Story:
    tenant_id: str
    ids: dict[str, str]
    records: list[Read]

    def of(self, collection: str) -> list[Read]:
        return [record for record in self.records if record.key == self.ids[collection]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def story(on_kafka: Relata, kafka_broker: RealKafka) -> Story:
    """One of everything, some of it changed, moved and deleted; and what Kafka holds of it."""
    async with on_kafka.client_of(await on_kafka.new_tenant_key("Story")) as client:
        tenant_id = (await client.get("/v1/tenants")).json()["data"][0]["id"]
        ids = await make_one_of_everything(client)
        stages = (await client.get("/v1/pipelines")).json()["data"][0]["stages"]
        for title in ("经理", "总监", None):
            answer = await client.patch(f"{CONTACTS}/{ids[CONTACTS]}", json={"title": title})
            assert answer.status_code == 200, answer.text
        deal = (await client.get(f"{DEALS}/{ids[DEALS]}")).json()
        stages = (await client.get(f"/v1/pipelines/{deal['pipeline_id']}")).json()["stages"]
        move = await client.post(f"{DEALS}/{ids[DEALS]}/move", json={"stage_id": stages[1]["id"]})
        assert move.status_code == 200, move.text
        assert (await client.post(f"{TICKETS}/{ids[TICKETS]}/solve", json={})).status_code == 200
        for collection in (CONTACTS, DEALS, TICKETS):
            assert (await client.delete(f"{collection}/{ids[collection]}")).status_code == 204
        pair = [(await client.post(CONTACTS, json={"full_name": "王伟"})).json()["id"] for _ in range(2)]
        merged = await client.post(f"{CONTACTS}/{pair[0]}/merge", json={"from": pair[1:]})
        assert merged.status_code == 201, merged.text
        lifecycle = await client.patch("/v1/lifecycle", json={"initial": "subscriber"})
        assert lifecycle.status_code == 200, lifecycle.text
        gone = {ids[collection] for collection in (CONTACTS, DEALS, TICKETS)}
        async with asyncio.timeout(60):
            while True:
                records = await asyncio.to_thread(_read_all, kafka_broker.bootstrap_servers, tenant_id)
                if gone <= {record.key for record in records if record.value is None}:
                    return Story(tenant_id, ids, records)


def _read_all(servers: str, tenant_id: str) -> list[Read]:
    """Everything of one tenant on all our topics, from the beginning to the ends of now."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "plain", "enable.auto.commit": False})
    try:
        known = consumer.list_topics(timeout=10).topics
        everything = [TopicPartition(t.name, p) for t in EVERY_TOPIC if t.name in known for p in range(PARTITIONS)]
        ends = {(tp.topic, tp.partition): consumer.get_watermark_offsets(tp, timeout=10)[1] for tp in everything}
        consumer.assign([TopicPartition(tp.topic, tp.partition, OFFSET_BEGINNING) for tp in everything])
        open_ends = {place for place, end in ends.items() if end > 0}
        found = []
        while open_ends:
            for message in consumer.consume(1000, timeout=1.0):
                assert message.error() is None, message.error()
                place = (message.topic(), message.partition())
                if message.offset() + 1 >= ends[place]:
                    open_ends.discard(place)
                found.append(_plain(message))
        return [record for record in found if record.headers["ce_tenantid"] == tenant_id]
    finally:
        consumer.close()


def _plain(message: Message) -> Read:
    headers = message.headers() or []
    assert len(headers) == len(dict(headers)), f"a header comes twice: {headers}"
    return Read(
        topic=message.topic(),
        partition=message.partition(),
        offset=message.offset(),
        key=message.key().decode("utf-8"),
        headers={name: value.decode("utf-8") for name, value in headers},
        value=message.value(),
    )


def _by_key(records: Iterable[Read]) -> dict[tuple[str, str], list[Read]]:
    found: dict[tuple[str, str], list[Read]] = defaultdict(list)
    for record in sorted(records, key=lambda each: each.offset):
        found[(record.topic, record.key)].append(record)
    return found


def test_the_story_touches_every_topic_that_it_can(story: Story) -> None:
    untouched = set(BY_NAME) - {record.topic for record in story.records}
    assert untouched <= {"crm.campaigns.unsubscribe"}, f"no message on {untouched}"


def test_the_official_sdk_reads_every_message(story: Story) -> None:
    for record in story.records:
        raw = {name: value.encode() for name, value in record.headers.items()}
        event = from_kafka(KafkaMessage(raw, record.key, record.value), JSONFormat())
        assert event.get_specversion() == "1.0"
        assert event.get_id() == record.headers["ce_id"]
        assert event.get_type() in BY_NAME[record.topic].event_types
        assert event.get_subject() == record.key
        assert event.get_time() is not None
        assert event.get_time().utcoffset() is not None
        assert event.get_extension("tenantid") == story.tenant_id
        assert event.get_extension("partitionkey") == record.key
        data: Any = event.get_data()
        if record.value is None:
            assert data is None
            continue
        assert event.get_datacontenttype() == "application/json"
        assert set(data) == {"entity", "changed"}
        assert data["entity"]["id"] == record.key
        assert str(data["entity"]["version"]) == event.get_extension("sequence")
        BY_NAME[record.topic].model.model_validate(data["entity"])


def test_headers_are_those_of_the_binary_mode_and_no_others(story: Story) -> None:
    for record in story.records:
        assert set(record.headers) >= _REQUIRED, record
        assert set(record.headers) - _REQUIRED <= _OPTIONAL, record
        assert record.headers["ce_subject"] == record.headers["ce_partitionkey"] == record.key
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", record.headers["ce_time"])
        assert re.fullmatch(r"[1-9]\d*", record.headers["ce_sequence"])
        if "ce_traceparent" in record.headers:
            assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", record.headers["ce_traceparent"])
        name, _, major = record.headers["ce_type"].rpartition(".v")
        schema = None if record.value is None else rf"urn:relata:{re.escape(name)}:{major}\.\d+"
        assert re.fullmatch(schema or "", record.headers.get("ce_dataschema", "")), record
        # CloudEvents Kafka binding, section 3.2.2: content-type says what the value is, where there is one.
        assert (record.headers.get("content-type") == "application/json") == (record.value is not None)


def test_ids_are_unique(story: Story) -> None:
    places: dict[str, list[Read]] = defaultdict(list)
    for record in story.records:
        places[f"{record.headers['ce_source']} {record.headers['ce_id']}"].append(record)
    again = {name: found for name, found in places.items() if len(found) > 1}
    assert not again, again


def test_the_sequence_of_a_key_rises_without_a_gap(story: Story) -> None:
    for key, records in _by_key(story.records).items():
        assert len({record.partition for record in records}) == 1, f"{key} is on several partitions"
        facts = [record.sequence for record in records if record.value is not None]
        assert facts[0] == 1, f"{key} begins with {facts[0]}"
        assert all(after == before + 1 for before, after in pairwise(facts)), f"{key}: {facts}"


def test_a_deletion_is_told_whole_and_then_by_a_tombstone(story: Story) -> None:
    for collection in (CONTACTS, DEALS, TICKETS):
        *_, last, tombstone = story.of(collection)
        assert last.headers["ce_type"].endswith(".deleted.v1")
        assert last.value is not None
        assert tombstone.value is None
        same = ("ce_type", "ce_subject", "ce_sequence", "ce_tenantid")
        assert [tombstone.headers[name] for name in same] == [last.headers[name] for name in same]


def test_named_events_say_what_happened(story: Story) -> None:
    actions = {
        collection: [r.headers["ce_type"].split(".")[3] for r in story.of(collection)] for collection in story.ids
    }
    assert actions[CONTACTS] == ["created", "updated", "updated", "updated", "deleted", "deleted"]
    assert actions[DEALS] == ["created", "stage_moved", "deleted", "deleted"]
    assert "solved" in actions[TICKETS]
    assert "sent" in actions[MESSAGES]


def test_text_is_utf_8_and_not_escaped(story: Story) -> None:
    [created, *_] = story.of(CONTACTS)
    assert created.value is not None
    assert "欧阳晓梅".encode() in created.value
    assert orjson.loads(created.value)["entity"]["full_name"] == "欧阳晓梅"


def test_the_partition_is_the_one_a_java_client_would_choose(story: Story, kafka_broker: RealKafka) -> None:
    """Two other implementations: Java's formula written out, and librdkafka's murmur2_random asked in person."""
    for record in story.records:
        assert record.partition == (_murmur2(record.key.encode()) & 0x7FFFFFFF) % PARTITIONS, record
    expected = {record.key: record.partition for record in story.records if record.topic == "crm.contacts.contact"}
    assert _librdkafka(kafka_broker.bootstrap_servers, list(expected)) == expected


def _murmur2(data: bytes) -> int:
    """`org.apache.kafka.common.utils.Utils.murmur2` (Austin Appleby's MurmurHash2 with Kafka's seed)."""
    multiplier, mask = 0x5BD1E995, 0xFFFFFFFF
    value = 0x9747B28C ^ len(data)
    whole = len(data) // 4 * 4
    for start in range(0, whole, 4):
        word = int.from_bytes(data[start : start + 4], "little") * multiplier & mask
        word = (word ^ word >> 24) * multiplier & mask
        value = (value * multiplier & mask) ^ word
    if rest := data[whole:]:
        value = (value ^ int.from_bytes(rest, "little")) * multiplier & mask
    value = (value ^ value >> 13) * multiplier & mask
    return value ^ value >> 15


def _librdkafka(servers: str, keys: list[str]) -> dict[str, int]:
    from confluent_kafka.admin import AdminClient, NewTopic

    topic = "partitioner-of-others"
    admin = AdminClient({"bootstrap.servers": servers})
    for future in admin.create_topics([NewTopic(topic, PARTITIONS, 1)]).values():
        future.result(20)
    found: dict[str, int] = {}

    def delivered(error: object, message: Message) -> None:
        assert error is None, error
        found[message.key().decode()] = message.partition()

    producer = Producer({"bootstrap.servers": servers, "partitioner": "murmur2_random"})
    for key in keys:
        producer.produce(topic, key=key, value=b"", on_delivery=delivered)
    assert producer.flush(20) == 0
    return found
