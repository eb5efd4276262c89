"""What runs, and which topics it writes and reads: taken from the services' manifests, for the chart.

`python -m crm_delivery.topology` writes `deploy/helm/relata/files/topology.json`.
"""

import importlib
from pathlib import Path
from typing import Any

from crm_contracts.document_text import document_text
from crm_contracts.registry import EVERY_TOPIC, PARTITIONS
from crm_kit.bus.kafka.topics import topic_settings
from crm_kit.bus.port import CompactionPolicy, TopicSpec
from crm_kit.manifest import Manifest
from crm_kit.runtime import ALL_ROLES
from crm_kit.topics import acls_of

ROOT = Path(__file__).parents[4]
CHART = ROOT / "deploy" / "helm" / "relata"
TOPOLOGY = CHART / "files" / "topology.json"

MODULES = ("gateway", "contacts_svc", "pipeline_svc", "tickets_svc", "campaigns_svc")


def manifests() -> tuple[Manifest, ...]:
    """Of all services, the gateway first."""
    return tuple(importlib.import_module(f"{module}.manifest").MANIFEST for module in MODULES)


def topology() -> dict[str, Any]:
    """Services with their roles, consumer groups and rights on Kafka; topics with their settings."""
    return {
        "services": {manifest.name: _service(manifest) for manifest in manifests()},
        "topics": {
            topic.name: {
                "partitions": PARTITIONS,
                "config": dict(topic_settings(TopicSpec(topic.name), CompactionPolicy())),
            }
            for topic in EVERY_TOPIC
        },
    }


def _service(manifest: Manifest) -> dict[str, Any]:
    has_something_to_consume = manifest.consumers or any(feature.workers for feature in manifest.features)
    return {
        "module": manifest.package,
        "roles": [role for role in ALL_ROLES if role != "consume" or has_something_to_consume],
        "groups": sorted(one.name for one in manifest.consumers),
        "acls": acls_of(manifest),
    }


def text() -> str:
    """The file as it has to be."""
    return document_text(topology()) + "\n"


if __name__ == "__main__":
    TOPOLOGY.write_text(text())
