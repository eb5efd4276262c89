"""The demo against a cluster, from the side of the clients."""

import subprocess
import sys
from typing import Final

from crm_testkit.kafka_maven import KafkaUnavailable, find_java, resolve_classpath

from crm_delivery import render
from crm_delivery.confined.cluster import Cluster

# Of the smallest values, but a process for each role; mail goes to where the clients are, and is read there.
_VALUES: Final = (
    "--values", str(render.EXAMPLES["minimal"]),
    "--set", "layout=role,roles.api.replicas=1",
    "--set", "publicUrl=http://relata-gateway:8000",
    "--set", "smtp.host=clients,smtp.tls=none,smtp.from=Relata <demo@example.com>",
    "--set-json", 'networkPolicy.smtpTo=[{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"ingress-nginx"}}}]',
)  # fmt: skip
_ON_KAFKA: Final = ("--set", "eventLog=kafka,kafka.bootstrapServers=kafka:9092,kafka.replicationFactor=1")


def demo_values() -> tuple[str, ...]:
    """Arguments for `render`: on Apache Kafka where it can be had, else with the event log in PostgreSQL."""
    try:
        find_java()
        resolve_classpath()
    except KafkaUnavailable:
        return _VALUES
    return _VALUES + _ON_KAFKA


_SECONDS: Final = 600.0


def play(cluster: Cluster, people: int) -> str | None:
    """None, or what failed."""
    end = cluster.network.ends["clients"]
    hosts = cluster.folder / "hosts"
    hosts.write_text(cluster.network.hosts())
    player = [sys.executable, "-m", "crm_delivery.confined.player"]
    asked = ["http://relata-gateway:8000", f"{end.address}:587", str(people)]
    outcome = subprocess.run(
        ["ip", "netns", "exec", end.namespace, "unshare", "--mount", "--propagation", "private", "/bin/sh", "-c",
         f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh", *player, *asked],
        input=f"{cluster.secrets['relata-gateway']['admin-key']}\n",
        capture_output=True, text=True, check=False, timeout=_SECONDS,
    )  # fmt: skip
    sys.stdout.write(outcome.stdout)
    return None if outcome.returncode == 0 else outcome.stderr.strip()[-600:]
