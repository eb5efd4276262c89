"""What a service says it needs of Kafka: topics and rights, and no more."""

from typing import Any

import pytest
from crm_kit.inbox import Consumer
from crm_kit.manifest import Feature
from crm_kit.topics import acls_of, topics_of
from crm_testkit.configuration_page import manifests
from crm_testkit.toy_service.contracts import NOTE
from crm_testkit.toy_service.manifest import toy_manifest


async def _hear(*_: object) -> None: ...


def _rights(acls: list[dict[str, Any]]) -> dict[tuple[str, str], set[str]]:
    return {(acl["resource"]["type"], acl["resource"]["name"]): set(acl["operations"]) for acl in acls}


def test_a_service_may_write_what_it_publishes_and_read_what_it_follows() -> None:
    assert _rights(acls_of(toy_manifest())) == {("topic", NOTE.name): {"Write", "Describe", "DescribeConfigs"}}
    following = toy_manifest(Feature(consumers=(Consumer(name="toy-hearing", topics=(NOTE,), handle=_hear),)))
    assert _rights(acls_of(following)) == {
        ("topic", NOTE.name): {"Read", "Write", "Describe", "DescribeConfigs"},
        ("group", "toy-hearing"): {"Read", "Describe"},
    }


@pytest.mark.parametrize("manifest", manifests(), ids=lambda manifest: manifest.name)
def test_no_service_may_write_anothers_topic(manifest: Any) -> None:
    rights = _rights(acls_of(manifest))
    foreign = [name for (kind, name), may in rights.items() if kind == "topic" and "Write" in may]
    assert foreign
    assert [name for name in foreign if not name.startswith(f"crm.{manifest.name}.")] == []
    assert {name for kind, name in rights if kind == "topic"} == {topic.name for topic in manifest.topics}
    assert "*" not in {name for _, name in rights}


def test_every_topic_is_compacted_and_has_twelve_partitions() -> None:
    for manifest in manifests():
        for topic in topics_of(manifest):
            assert topic["partitions"] == 12, topic
            assert topic["config"]["cleanup.policy"] == "compact", topic
            assert topic["written"] or topic["read"], topic


def test_each_topic_has_one_writer() -> None:
    writers: dict[str, list[str]] = {}
    for manifest in manifests():
        for topic in topics_of(manifest):
            if topic["written"]:
                writers.setdefault(topic["name"], []).append(manifest.name)
    assert [topic for topic, names in writers.items() if len(names) != 1] == []
