"""A Kafka broker for tests: a real one wherever it can be had.

Tried in this order: KAFKA_BOOTSTRAP_SERVERS, Apache Kafka from Maven with Java, Apache Kafka in Docker, librdkafka's
mock cluster out of the confluent-kafka wheel. With CI=true the mock will not do and `KafkaUnavailable` is raised.
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Self

import psutil
import pytest
from crm_kit.db.processes import kill_all, wait_until_ended

from crm_testkit.kafka_maven import KafkaUnavailable, find_java, locked, resolve_classpath

_DOCKER_IMAGE = "apache/kafka:4.0.0"
_CLUSTER_ID = "cmVsYXRhLXRlc3QtbG9nAA"  # sixteen bytes in base64, as Kafka wants it
_READY_WITHIN = 60.0


@dataclass(frozen=True)
class _Broker:
    """What FOLDER/broker.json tells those who share the broker."""

    kind: str
    bootstrap_servers: str
    supervisor: int
    real: bool
    restartable: bool


class RealKafka:
    """A broker in `folder`, shared by all who name the same folder; it ends with the last of them.

    However a user ends, the broker does not outlive it: see `crm_testkit.kafka_supervisor`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._lease: IO[str] | None = None
        self._broker: _Broker | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.release()

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect, the same before and after a restart."""
        return self._running.bootstrap_servers

    @property
    def description(self) -> str:
        """One line for the test report: which broker this is."""
        return f"{self._running.kind} at {self.bootstrap_servers}"

    @property
    def is_real(self) -> bool:
        """False for librdkafka's mock cluster."""
        return self._running.real

    @property
    def can_restart(self) -> bool:
        """False for a broker that was given by address, and for the mock, which keeps its log in memory."""
        return self._running.restartable

    def start(self) -> Self:
        """Start the broker, or join the one that runs in this folder. Raises KafkaUnavailable."""
        given = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
        if given:
            self._broker = _Broker("the Kafka of KAFKA_BOOTSTRAP_SERVERS", given, 0, True, False)
            return self
        self._folder.mkdir(parents=True, exist_ok=True)
        with locked(self._folder / "lock"):
            if self._lease is None:
                self._lease = (self._folder / "lease").open("a")
                fcntl.flock(self._lease, fcntl.LOCK_SH)
            try:
                self._broker = self._found() or self._launched()
            except BaseException:
                self._lease.close()
                self._lease = None
                raise
        return self

    def stop(self) -> None:
        """Shut the broker down in order; `start` brings it back with its data."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the broker like a power cut does; `start` brings it back."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def release(self) -> None:
        """Leave the broker; the last one to leave ends it, and returns when it has ended."""
        if self._lease is None:
            return
        with locked(self._folder / "lock"):
            fcntl.flock(self._lease, fcntl.LOCK_UN)
            try:
                fcntl.flock(self._lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                others = self._supervisor() is not None and not _ends_soon(self._folder)
            else:
                others = False
            if not others:
                self._kill_broker(signal.SIGKILL)  # its data are thrown away: no need to wait for a clean end
                (self._folder / "broker.json").unlink(missing_ok=True)
            self._lease.close()
            self._lease = None

    @property
    def _running(self) -> _Broker:
        if self._broker is None:
            raise KafkaUnavailable("The broker has not been started.")
        return self._broker

    def _end(self, signum: signal.Signals) -> None:
        if not self.can_restart:
            raise KafkaUnavailable(f"{self.description} cannot be restarted from here.")
        with locked(self._folder / "lock"):
            self._kill_broker(signum)

    def _kill_broker(self, signum: signal.Signals) -> None:
        supervisor = self._supervisor()
        if supervisor is None:
            return
        for child in supervisor.children():
            child.send_signal(signum)
        if wait_until_ended([supervisor], 20.0):
            supervisor.terminate()
            kill_all(wait_until_ended([supervisor], 20.0))
        with contextlib.suppress(ChildProcessError):  # another worker's child
            os.waitpid(supervisor.pid, os.WNOHANG)

    def _supervisor(self) -> psutil.Process | None:
        try:
            state = json.loads((self._folder / "broker.json").read_text())
            process = psutil.Process(state["supervisor"])
            ours = str(self._folder) in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE
        except (FileNotFoundError, psutil.NoSuchProcess):
            return None
        return process if ours else None

    def _found(self) -> _Broker | None:
        if self._supervisor() is None:
            return None
        return _Broker(**json.loads((self._folder / "broker.json").read_text()))

    def _launched(self) -> _Broker:
        command = self._folder / "command.json"
        if not command.exists():
            command.write_text(json.dumps(_choose(self._folder)))
        plan = json.loads(command.read_text())
        (self._folder / "mock.address").unlink(missing_ok=True)
        # Not our child in the end: it must outlive this process by a moment to clean up after it.
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "crm_testkit.kafka_supervisor", "run", str(self._folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        address = plan["address"] or _await_file(self._folder / "mock.address", supervisor)
        broker = _Broker(plan["kind"], address, supervisor.pid, plan["real"], plan["restartable"])
        (self._folder / "broker.json").write_text(json.dumps(asdict(broker)))
        try:
            _await_ready(address, supervisor, self._folder / "broker.log")
        except BaseException:
            self._kill_broker(signal.SIGKILL)
            raise
        _reap_later(supervisor)
        return broker


def _choose(folder: Path) -> dict[str, object]:
    reasons = []
    for attempt in (_from_maven, _from_docker):
        try:
            return attempt(folder)
        except KafkaUnavailable as error:
            reasons.append(str(error))
    if os.environ.get("CI") == "true":
        raise KafkaUnavailable("CI needs a real Kafka broker: " + "; ".join(reasons))
    return {
        "kind": f"librdkafka's mock cluster, NOT a real Kafka ({'; '.join(reasons)})",
        "run": [sys.executable, "-m", "crm_testkit.kafka_supervisor", "mock", str(folder)],
        "stop": [],
        "address": None,
        "real": False,
        "restartable": False,
    }


def _from_maven(folder: Path) -> dict[str, object]:
    port, controller = free_ports(2)
    settings = _properties(f"127.0.0.1:{port}", f"127.0.0.1:{controller}")
    return prepare_node(folder, settings, f"127.0.0.1:{port}", heap="512m")


def prepare_node(folder: Path, settings: Mapping[str, str], address: str, *, heap: str) -> dict[str, object]:
    """Formats a node's storage in `folder`; how to run it, for command.json. Raises KafkaUnavailable."""
    java = find_java()
    classpath = resolve_classpath()
    data = folder / "data"
    properties = folder / "server.properties"
    properties.write_text("".join(f"{name}={value}\n" for name, value in {**settings, "log.dirs": data}.items()))
    base = [java, f"-Xmx{heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", classpath]
    base.append("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
    shutil.rmtree(data, ignore_errors=True)
    formatted = subprocess.run(
        [*base, "kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(properties)],
        capture_output=True,
        text=True,
        check=False,
    )
    if formatted.returncode != 0:
        raise KafkaUnavailable(f"Kafka's storage could not be formatted: {formatted.stderr.strip()[-500:]}")
    return {
        "kind": "Apache Kafka from Maven",
        "run": [*base, "kafka.Kafka", str(properties)],
        "stop": [],
        "address": address,
        "real": True,
        "restartable": True,
    }


def _from_docker(folder: Path) -> dict[str, object]:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "info"], capture_output=True, check=False).returncode != 0:
        raise KafkaUnavailable("there is no running Docker")
    (port,) = free_ports(1)
    name = f"relata-test-kafka-{port}"
    data = folder / "data"
    data.mkdir(exist_ok=True)
    data.chmod(0o777)  # the image has a user of its own
    settings = _properties("0.0.0.0:9092", "127.0.0.1:9093") | {
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "log.dirs": "/data",
    }
    run = [docker, "run", "--rm", "--name", name, "-p", f"127.0.0.1:{port}:9092", "-v", f"{data}:/data"]
    for key, value in settings.items():
        run += ["-e", f"KAFKA_{key.upper().replace('.', '_')}={value}"]
    return {
        "kind": "Apache Kafka in Docker",
        "run": [*run, "-e", f"CLUSTER_ID={_CLUSTER_ID}", _DOCKER_IMAGE],
        "stop": [docker, "rm", "-f", name],
        "address": f"127.0.0.1:{port}",
        "real": True,
        "restartable": True,
    }


def node_settings(
    node_id: int, broker: str, controller: str, voters: str, *, replicas: int, in_sync: int
) -> dict[str, str]:
    """A node's server.properties but for its folder; a broker and controller in one. `voters` as Kafka spells them."""
    return {
        "process.roles": "broker,controller",
        "node.id": str(node_id),
        "listeners": f"PLAINTEXT://{broker},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{broker}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": voters,
        "offsets.topic.replication.factor": str(replicas),
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": str(replicas),
        "transaction.state.log.min.isr": str(in_sync),
        "share.coordinator.state.topic.replication.factor": str(replicas),
        "share.coordinator.state.topic.min.isr": str(in_sync),
        "min.insync.replicas": str(in_sync),
        "group.initial.rebalance.delay.ms": "0",
        "auto.create.topics.enable": "false",
        # After a kill the broker waits for its own old session to expire; nine seconds by default.
        "broker.session.timeout.ms": "2000",
        "broker.heartbeat.interval.ms": "500",
        "log.cleaner.dedupe.buffer.size": "16777216",
        "log.cleaner.threads": "1",
        "num.network.threads": "2",
        "num.io.threads": "4",
    }


def _properties(broker: str, controller: str) -> dict[str, str]:
    return node_settings(1, broker, controller, f"1@{controller}", replicas=1, in_sync=1)


def free_ports(count: int) -> list[int]:
    """Of the loopback, free at this moment."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def _await_file(path: Path, supervisor: subprocess.Popen[bytes]) -> str:
    _await(path.exists, supervisor, "The mock cluster gave no address")
    return path.read_text()


def _await_ready(address: str, supervisor: subprocess.Popen[bytes], log: Path) -> None:
    from confluent_kafka import KafkaException  # costs 20 MB in every test process otherwise
    from confluent_kafka.admin import AdminClient  # as above

    client = AdminClient({"bootstrap.servers": address, "log_level": 0, "reconnect.backoff.max.ms": 200})

    def answers() -> bool:
        try:
            return bool(client.list_topics(timeout=1.0).brokers)
        except KafkaException:
            return False

    _await(answers, supervisor, f"The broker was not ready after {_READY_WITHIN:.0f} s; its log is {log}")


def _await(condition: Callable[[], bool], supervisor: subprocess.Popen[bytes], complaint: str) -> None:
    deadline = time.monotonic() + _READY_WITHIN
    while not condition():
        if supervisor.poll() is not None or time.monotonic() > deadline:
            raise KafkaUnavailable(complaint)
        time.sleep(0.05)


def _ends_soon(folder: Path) -> bool:
    """The supervisor holds the lease itself just before it ends."""
    time.sleep(0.5)
    return not (folder / "broker.json").exists()


def _reap_later(process: subprocess.Popen[bytes]) -> None:
    """Python warns about a child that is dropped while it runs; this one is ended through its lease."""
    process.returncode = 0


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealKafka]:
    """One broker for the whole test run, shared by the workers of pytest-xdist. Do not stop it: others use it."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with RealKafka(folder / "kafka") as broker:
        if not broker.is_real:
            sys.stderr.write(f"\n{broker.description}\n")
        yield broker
