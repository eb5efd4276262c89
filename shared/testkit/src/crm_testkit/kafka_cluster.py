"""Three Kafka brokers, of which one may die: every record on all three, acknowledged once two have it."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Self

from crm_testkit.kafka_broker import RealKafka, free_ports, node_settings, prepare_node

NODES: Final = 3
_IN_SYNC: Final = 2
_HEAP: Final = "256m"


class KafkaCluster:
    """Brokers and controllers in one, in folders below `folder`. Raises KafkaUnavailable without Java and Maven."""

    replication_factor = NODES

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._nodes = [RealKafka(self._folder / str(number)) for number in range(1, NODES + 1)]

    @property
    def bootstrap_servers(self) -> str:
        """All of them, the same before and after restarts."""
        return ",".join(node.bootstrap_servers for node in self._nodes)

    def start(self) -> Self:
        """Start the brokers that do not run."""
        if not (self._folder / "1").exists():
            self._prepare()
        self._each(RealKafka.start)
        return self

    def stop(self) -> None:
        """Shut all of them down in order; `start` brings them back with their data."""
        self._each(RealKafka.stop)

    def kill(self) -> None:
        """End all of them like a power cut does."""
        self._each(RealKafka.kill)

    def stop_one(self, number: int) -> None:
        """Shut one down in order, of 0 to NODES - 1; `start` brings it back."""
        self._nodes[number].stop()

    def kill_one(self, number: int) -> None:
        """End one at once, be it leader, coordinator or controller."""
        self._nodes[number].kill()

    def release(self) -> None:
        """End all of them, for good."""
        self._each(RealKafka.release)

    def _each(self, act: Callable[[RealKafka], object]) -> None:
        """At the same time: the first to start is not ready before the second."""
        with ThreadPoolExecutor(NODES) as threads:
            list(threads.map(act, self._nodes))

    def _prepare(self) -> None:
        ports = free_ports(2 * NODES)
        brokers = [f"127.0.0.1:{port}" for port in ports[:NODES]]
        controllers = [f"127.0.0.1:{port}" for port in ports[NODES:]]
        voters = ",".join(f"{number}@{controller}" for number, controller in enumerate(controllers, 1))

        def prepare(number: int) -> None:
            broker, controller = brokers[number - 1], controllers[number - 1]
            folder = self._folder / str(number)
            folder.mkdir(parents=True)
            settings = node_settings(number, broker, controller, voters, replicas=NODES, in_sync=_IN_SYNC)
            plan = prepare_node(folder, settings, broker, heap=_HEAP)
            (folder / "command.json").write_text(json.dumps(plan))

        with ThreadPoolExecutor(NODES) as threads:
            list(threads.map(prepare, range(1, NODES + 1)))
