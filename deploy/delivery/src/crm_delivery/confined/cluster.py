"""All of it: PostgreSQL, whoever is beside, the jobs in their order, the processes."""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Final, cast

import psutil
from crm_kit.db.embedded import EmbeddedPostgres
from crm_testkit.kafka_broker import node_settings, prepare_node

from crm_delivery.confined.images import Builder, Image
from crm_delivery.confined.network import Network
from crm_delivery.confined.pods import Pod
from crm_delivery.objects import JOBS, Object, Workload, of_kind, workloads
from crm_delivery.secrets import new_secrets
from crm_delivery.topology import topology

PROGRAMS: Final = ("ip", "nft", "unshare", "setpriv", "chroot", "mount")
_PACKAGES: Final = {"gateway": "gateway"}
_READY_SECONDS: Final = 180.0
_SERVED: Final = 8000


class NotPossible(Exception):
    """This machine does not allow it; the text says what is missing."""


class Failed(Exception):
    """A pod did not do what it should; the text is the end of its log."""


class Cluster:
    """What `running` gives."""

    def __init__(self, objects: list[Object], folder: Path) -> None:
        self.network = Network()
        self.secrets = new_secrets(topology()["services"])
        self.pods: dict[str, Pod] = {}
        self.folder = folder
        self._all: list[Pod] = []
        self._builder = Builder(folder / "images")
        self._workloads = {each.name: each for each in workloads(objects)}
        self._policies = of_kind(objects, "NetworkPolicy")

    def lay_out(self) -> None:
        """Namespaces of all, and the rules between them."""
        for name, labels, namespace in (
            ("postgresql", {"app.kubernetes.io/name": "postgresql"}, "relata"),
            ("kafka", {"app.kubernetes.io/name": "kafka"}, "relata"),
            ("clients", {}, "ingress-nginx"),
            ("prometheus", {}, "monitoring"),
            ("stranger", {"app": "other"}, "relata"),
        ):
            self.network.add(name, labels, namespace)
        self.network.add("internet", {}, outside=True)
        for each in self._workloads.values():
            self.network.add(each.name, each.labels)
        self.network.enforce(self._policies, self._workloads)

    @property
    def is_on_kafka(self) -> bool:
        return any(each.environment["BUS"] == "kafka" for each in self._workloads.values())

    def image(self, service: str) -> Image:
        return self._builder.build(_PACKAGES.get(service, f"services/{service}-svc"))

    def run_job(self, name: str) -> None:
        """Raises Failed."""
        pod = self._started(self._workloads[name])
        if pod.wait(_READY_SECONDS) != 0:
            raise Failed(f"{name}: {_end_of(pod.log)}")
        pod.stop()

    def start(self) -> None:
        """The jobs, those first that make databases, then everything that serves. Raises Failed."""
        for job in JOBS:
            for name, each in self._workloads.items():
                if each.role == job:
                    self.run_job(name)
        for name, each in self._workloads.items():
            if each.role not in JOBS:
                self.pods[name] = self._started(each)
        for name in self.pods:
            self.wait_ready(name)

    def _started(self, workload: Workload) -> Pod:
        folder = self.folder / "pods" / workload.name
        pod = Pod(workload, self.image(workload.service), self.network.ends[workload.name], folder)
        self._all.append(pod)
        pod.start(self.secrets, self.network.hosts())
        return pod

    def wait_ready(self, name: str) -> None:
        """By its readiness probe. Raises Failed."""
        path = self._workloads[name].container["readinessProbe"]["httpGet"]["path"]
        deadline = time.monotonic() + _READY_SECONDS
        while self.ask(name, path) != 200:
            if self.pods[name].ended() is not None or time.monotonic() > deadline:
                raise Failed(f"{name}: {_end_of(self.pods[name].log)}")
            time.sleep(0.2)

    def ask(self, name: str, path: str) -> int | None:
        """The status that a pod answers its prober; None where it does not. (A node is let in by every policy.)"""
        try:
            connected = self.network.connect(name, name, _SERVED)
        except OSError:
            return None
        connection = HTTPConnection("pod", timeout=5)
        connection.sock = connected
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()

    def stop(self) -> None:
        for pod in reversed(self._all):
            pod.stop()
        self.network.close()


@contextmanager
def running(objects: list[Object]) -> Iterator[Cluster]:
    """A cluster of the manifest's pods, until the block ends. Raises NotPossible, BuildFailed and Failed."""
    refuse_impossible()
    with ExitStack() as stack:
        folder = Path(
            tempfile.mkdtemp(prefix="relata-", dir="/dev/shm")
        )  # overlayfs wants another file system than that of /
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o711)
        cluster = Cluster(objects, folder)
        stack.callback(cluster.stop)
        cluster.lay_out()
        _start_postgresql(cluster, stack)
        if cluster.is_on_kafka:
            _start_kafka(cluster, stack)
        cluster.start()
        yield cluster


def refuse_impossible() -> None:
    """Raises NotPossible."""
    if psutil.Process().uids().effective != 0:
        raise NotPossible("namespaces and mounts need root")
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        raise NotPossible(f"the programs {', '.join(missing)} are missing")
    if not Path("/sys/fs/cgroup/memory").is_dir():
        raise NotPossible("there is no memory controller of cgroups at /sys/fs/cgroup/memory")
    tried = subprocess.run(["unshare", "--net", "nft", "add", "table", "inet", "t"], check=False, capture_output=True)
    if tried.returncode != 0:
        raise NotPossible("the kernel gives no namespaces with nftables")
    if not Path("/dev/shm").is_dir():  # as above
        raise NotPossible("there is no /dev/shm for layers")


def _start_postgresql(cluster: Cluster, stack: ExitStack) -> None:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="relata-")))
    folder.chmod(0o711)
    server = stack.enter_context(EmbeddedPostgres(folder / "postgres", fast=True))
    url = server.superuser_url()
    cluster.secrets["postgresql"] = {"postgres-password": url.partition("postgres:")[2].partition("@")[0]}
    socket_file = f"{url.partition('host=')[2].partition('&')[0]}/.s.PGSQL.5432"
    address = cluster.network.ends["postgresql"].address
    forwarder = [sys.executable, "-m", "crm_delivery.confined.forward", address, "5432", socket_file]
    _start_beside(cluster, stack, "postgresql", forwarder, 5432)


def _start_kafka(cluster: Cluster, stack: ExitStack) -> None:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="relata-")))
    address, controller = cluster.network.ends["kafka"].address, "127.0.0.1:9093"
    settings = node_settings(1, f"{address}:9092", controller, f"1@{controller}", replicas=1, in_sync=1)
    node = prepare_node(folder, settings, f"{address}:9092", heap="512m")
    _start_beside(cluster, stack, "kafka", cast("list[str]", node["run"]), 9092)


def _start_beside(cluster: Cluster, stack: ExitStack, name: str, command: list[str], port: int) -> None:
    """What the pods need: a process in the network of its end, until the end of all. Raises OSError."""
    namespace = cluster.network.ends[name].namespace
    process = subprocess.Popen(["ip", "netns", "exec", namespace, *command], stdout=subprocess.DEVNULL)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        try:
            cluster.network.connect(name, name, port).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-12:]) or "(it wrote nothing)"
