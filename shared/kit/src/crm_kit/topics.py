"""`python -m <service> topics`: which topics a service needs on Kafka, and which rights, for whoever creates them."""

import json
import sys
from typing import Any

from crm_kit.bus import CompactionPolicy, TopicSpec
from crm_kit.manifest import Manifest
from crm_kit.rebuild.reading import group_of

_EVERYWHERE = ["Describe", "DescribeConfigs"]


def topics_of(manifest: Manifest) -> list[dict[str, Any]]:
    """Name, partitions, Kafka's settings, and whether it is written or read here, of every topic, by name."""
    # Imported here: it is the Kafka client, which no other command needs.
    from crm_kit.bus.kafka.topics import topic_settings

    written, read = _written(manifest), _read(manifest)
    specs = [TopicSpec(name) for name in sorted(written | read)]
    return [
        {
            "name": spec.name,
            "partitions": spec.partitions,
            "config": dict(topic_settings(spec, CompactionPolicy())),
            "written": spec.name in written,
            "read": spec.name in read,
        }
        for spec in specs
    ]


def acls_of(manifest: Manifest) -> list[dict[str, Any]]:
    """The least rights that the service needs, as a Strimzi KafkaUser's `spec.authorization.acls` spells them.

    An idempotent producer needs no right of its own since Kafka 3.0 (KIP-679). Creating topics is not among them.
    """
    written, read = _written(manifest), _read(manifest)
    acls = []
    for name in sorted(written | read):
        operations = [*(["Read"] if name in read else []), *(["Write"] if name in written else []), *_EVERYWHERE]
        acls.append(_acl("topic", name, operations))
    groups = {
        each for one in manifest.consumers for each in ([one.name] if not one.projection else [one.name, group_of(one)])
    }
    return acls + [_acl("group", name, ["Read", "Describe"]) for name in sorted(groups)]


def print_topics(manifest: Manifest, *, acls: bool) -> None:
    """As JSON."""
    found = acls_of(manifest) if acls else topics_of(manifest)
    sys.stdout.write(json.dumps(found, indent=2) + "\n")


def _written(manifest: Manifest) -> set[str]:
    own = {events.topic.name for events in manifest.publishes}
    return own | {topic.name for feature in manifest.features for topic in feature.topics}


def _read(manifest: Manifest) -> set[str]:
    return {topic.name for consumer in manifest.consumers for topic in consumer.topics}


def _acl(kind: str, name: str, operations: list[str]) -> dict[str, Any]:
    return {"resource": {"type": kind, "name": name, "patternType": "literal"}, "operations": operations, "host": "*"}
