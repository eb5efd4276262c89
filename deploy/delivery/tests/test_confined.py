"""Each process under what its manifest says, and the demo passes there."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from crm_delivery import render
from crm_delivery.confined.cluster import Cluster, NotPossible, refuse_impossible, running
from crm_delivery.confined.play import demo_values, play
from crm_delivery.confined.pods import bytes_of
from crm_delivery.objects import read

# Building the libraries takes most of it.
pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    try:
        refuse_impossible()
        objects = read(render.render(render.find_helm(), *demo_values()))
    except (NotPossible, render.HelmMissing) as reason:
        pytest.skip(str(reason))
    with running(objects) as started:
        yield started


def status(pid: int) -> dict[str, str]:
    lines = (line.partition(":") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {name: value.strip() for name, _, value in lines}


def services(cluster: Cluster) -> list[tuple[str, dict[str, str], int]]:
    """Every pod with its Python process."""
    found = []
    for name, pod in cluster.pods.items():
        processes = [(pid, status(pid)) for pid in pod.members()]
        (own,) = [(pid, told) for pid, told in processes if told["Uid"].split()[0] == "10001"]
        found.append((name, own[1], own[0]))
    return found


def test_the_demo_passes(cluster: Cluster) -> None:
    assert play(cluster, people=12) is None
    assert [name for name, pod in cluster.pods.items() if pod.ended() is not None] == []


def test_each_process_is_nobody_and_can_become_nobody_else(cluster: Cluster) -> None:
    for name, told, _ in services(cluster):
        assert set(told["Uid"].split()) == set(told["Gid"].split()) == {"10001"}, name
        assert {int(told[each], 16) for each in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}, name
        assert told["NoNewPrivs"] == "1", name


def test_each_tree_is_read_only_but_for_tmp(cluster: Cluster) -> None:
    for name, _, pid in services(cluster):
        mounts = {}
        for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines():
            before, _, after = line.partition(" - ")
            mounts[before.split()[4]] = (before.split()[5].split(","), after.split()[0])
        root = str(Path(f"/proc/{pid}/root").readlink())
        options, kind = mounts[root if root in mounts else "/"]
        assert ("ro" in options, kind) == (True, "overlay") or _cannot_write(pid), name
        assert not _cannot_write(pid, "tmp"), name


def _cannot_write(pid: int, folder: str = "") -> bool:
    try:
        probe = Path(f"/proc/{pid}/root") / folder / "probe"
        probe.touch()
        probe.unlink()
    except OSError:
        return True
    return False


def test_each_process_is_held_to_its_memory_and_keeps_well_within(cluster: Cluster) -> None:
    for name, pod in cluster.pods.items():
        resources = pod.workload.container["resources"]
        limit = bytes_of(resources["limits"]["memory"])
        assert pod.memory_limit() == limit, name
        assert pod.resident_memory() < 0.75 * limit, name
        assert pod.resident_memory() < bytes_of(resources["requests"]["memory"]), f"{name} needs more than it asks for"


@pytest.mark.parametrize(
    ("source", "target", "port", "open_"),
    [
        ("clients", "gateway-api", 8000, True),
        ("clients", "contacts-api", 8000, False),
        ("clients", "gateway-timers", 8000, False),
        ("stranger", "gateway-api", 8000, False),
        ("gateway-api", "tickets-api", 8000, True),
        ("gateway-relay", "tickets-api", 8000, False),
        ("tickets-api", "gateway-api", 8000, False),
        ("tickets-api", "contacts-api", 8000, False),
        ("tickets-timers", "postgresql", 5432, True),
        ("stranger", "postgresql", 5432, True),  # the database's own policies are not of this chart here
        ("prometheus", "campaigns-relay", 8000, True),
        ("contacts-api", "kafka", 9092, False),
    ],
)
def test_connections_are_made_by_the_arrows_alone(
    cluster: Cluster, source: str, target: str, port: int, open_: bool
) -> None:
    try:
        cluster.network.connect(source, target, port).close()
    except TimeoutError:
        assert not open_
    else:
        assert open_


def test_the_event_log_is_reached_by_whoever_writes_and_reads_it(cluster: Cluster) -> None:
    if not cluster.is_on_kafka:
        pytest.skip("without Java and Maven the event log is in PostgreSQL")
    for role in ("relay", "consume"):
        cluster.network.connect(f"contacts-{role}", "kafka", 9092).close()


def test_a_process_ends_in_order_within_its_grace(cluster: Cluster) -> None:
    pod = cluster.pods["contacts-relay"]
    pod.stop()
    assert pod.code == 0, pod.log.read_text()[-600:]
