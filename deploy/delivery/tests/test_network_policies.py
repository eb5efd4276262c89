"""Policies let through the arrows of the architecture and nothing else: every pair of ends, on every port that means something."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from fnmatch import fnmatch
from typing import Any

import pytest
from crm_delivery import render
from crm_delivery.objects import JOBS, of_kind, read, workloads
from crm_delivery.reach import Peer, is_open

PORTS = (22, 25, 53, 80, 443, 587, 4318, 5432, 6443, 8000, 8443, 9090, 9092, 9093, 10250)

# Who, whom, ports. `*` in a name stands for any role or service.
ARROWS = (
    ("clients", "gateway-api", {8000}),
    ("gateway-api", "*-api", {8000}),  # the proxy, and the customer view with ?consistency=live
    ("gateway-consume", "*-api", {8000}),  # what inbound sources have sent
    ("gateway-timers", "*-api", {8000}),  # reconcile, transfers
    ("*", "postgresql", {5432}),
    ("*-relay", "kafka", {9092}),
    ("*-consume", "kafka", {9092}),
    ("gateway-timers", "kafka", {9092}),  # reconcile asks how far consumers are
    ("gateway-api", "internet*", {443, 8443}),  # keys of identity providers
    ("gateway-consume", "internet*", {443, 8443}),  # webhooks
    ("gateway-timers", "internet*", {443, 8443}),  # backfills of shops
    ("*", "dns", {53}),
    ("prometheus", "*", {8000}),
    ("collector", "*", {8000}),  # it is in the namespace of whoever may read metrics
)
TRACES = tuple((f"*-{role}", "collector", {4318}) for role in ("api", "relay", "consume", "timers"))
MAIL = (("campaigns-timers", "internet*", {587}),)

OUTSIDE = (
    Peer("internet", address="93.184.216.34"),
    Peer("internet over IPv6", address="2606:2800:220:1::1"),
    Peer("metadata of the cloud", address="169.254.169.254"),
    Peer("metadata over IPv6", address="fd00:ec2::254"),
    Peer("wire server", address="168.63.129.16"),
    Peer("host in a private network", address="10.1.2.3"),
    Peer("another private host", address="192.168.1.1"),
    Peer("loopback", address="127.0.0.1"),
    Peer("translated metadata", address="64:ff9b::a9fe:a9fe"),
)
STRANGERS = (
    Peer("pod beside", labels={"app": "other"}),
    Peer("pod of another release", labels={"app.kubernetes.io/name": "relata", "app.kubernetes.io/instance": "other"}),
    Peer("gateway elsewhere", "elsewhere", {"app.kubernetes.io/name": "relata", "app.kubernetes.io/instance": "relata",
                                            "relata/service": "gateway", "relata/role": "api"}),
    Peer("api server", address="10.96.0.1"),
)  # fmt: skip


def peers(name: str) -> tuple[list[Peer], list[Peer]]:
    """Our pods, and everybody else."""
    ours = [Peer(each.name, labels=each.labels) for each in workloads(objects(name))]
    production = name == "production"
    postgresql = {"cnpg.io/cluster": "relata-postgresql"} if production else {"app.kubernetes.io/name": "postgresql"}
    kafka = (
        {"strimzi.io/cluster": "relata", "strimzi.io/kind": "Kafka"}
        if production
        else {"app.kubernetes.io/name": "kafka"}
    )
    return ours, [
        Peer("clients", "gateways" if production else "ingress-nginx"),
        Peer("prometheus", "monitoring"),
        Peer("collector", "monitoring", {"app.kubernetes.io/name": "opentelemetry-collector"}),
        Peer("dns", "kube-system", {"k8s-app": "kube-dns"}),
        Peer("postgresql", labels=postgresql),
        Peer("kafka", labels=kafka),
        *OUTSIDE,
        *STRANGERS,
    ]


def objects(name: str) -> list[Mapping[str, Any]]:
    return read((render.FOLDER / f"{name}.yaml").read_text())


def arrows_of(name: str) -> list[tuple[str, str, set[int]]]:
    """In production Kafka's listener is the one with TLS, mail is sent, and processes record traces."""
    if name != "production":
        return list(ARROWS)
    return [(who, whom, {9093} if whom == "kafka" else ports) for who, whom, ports in ARROWS + MAIL + TRACES]


def expected(name: str) -> set[tuple[str, str, int]]:
    ours, others = peers(name)
    names = {each.name for each in ours}

    def means(pattern: str, one: str) -> bool:
        if not fnmatch(one, pattern):
            return False
        return one in names if pattern == "*" else "*" not in pattern or pattern.startswith("internet") or one in names

    found = set()
    for who, whom, ports in arrows_of(name):
        for source in (*ours, *others):
            for target in (*ours, *others):
                serves = target.name.rpartition("-")[2] not in JOBS
                other = target.name != source.name and not (whom == "*-api" and target.name == "gateway-api")
                if means(who, source.name) and means(whom, target.name) and serves and other:
                    found |= {(source.name, target.name, port) for port in ports}
    return found


def reached(policies: list[Mapping[str, Any]], name: str) -> Iterator[tuple[str, str, int]]:
    ours, others = peers(name)
    for source in (*ours, *others):
        for target in (*ours, *others):
            if source not in ours and target not in ours:
                continue
            for port in PORTS:
                if source != target and is_open(policies, source, target, port):
                    yield source.name, target.name, port


def policies_of(name: str) -> list[Mapping[str, Any]]:
    """Those of our pods; the operators' pods have their own."""
    return [each for each in of_kind(objects(name), "NetworkPolicy") if each["metadata"]["name"] != "relata-postgresql"]


@pytest.mark.parametrize("name", ["default", "production"])
def test_exactly_the_arrows_are_open(name: str) -> None:
    found, wanted = set(reached(policies_of(name), name)), expected(name)
    assert wanted
    assert sorted(found - wanted) == [], "open, and no arrow"
    assert sorted(wanted - found) == [], "an arrow, and closed"


def test_names_are_asked_over_udp_too() -> None:
    ours, others = peers("default")
    dns = next(each for each in others if each.name == "dns")
    assert all(is_open(policies_of("default"), each, dns, 53, "UDP") for each in ours)
    assert not any(is_open(policies_of("default"), each, dns, 123, "UDP") for each in ours)


def test_all_roles_in_one_process_reach_what_these_reach_together() -> None:
    ours, others = peers("minimal")
    named = {each.name: each for each in (*ours, *others)}
    opened = {
        (source, target, port)
        for source, target, port in (
            ("gateway-all", "contacts-all", 8000),
            ("gateway-all", "internet", 443),
            ("contacts-all", "postgresql", 5432),
            ("clients", "pipeline-all", 8000),
            ("contacts-all", "gateway-all", 8000),
            ("contacts-all", "pipeline-all", 8000),
            ("contacts-all", "internet", 443),
        )
        if is_open(policies_of("minimal"), named.get(source, Peer(source, "ingress-nginx")), named[target], port)
    }
    assert opened == {
        ("gateway-all", "contacts-all", 8000),
        ("gateway-all", "internet", 443),
        ("contacts-all", "postgresql", 5432),
    }


def test_databases_let_in_our_pods_and_their_operator_alone() -> None:
    policies = of_kind(objects("production"), "NetworkPolicy")
    ours, _ = peers("production")
    database = Peer("postgresql", labels={"cnpg.io/cluster": "relata-postgresql"})
    operator = Peer("operator", "cnpg-system", {"app.kubernetes.io/name": "cloudnative-pg"})
    assert all(is_open(policies, each, database, 5432) for each in ours)
    assert is_open(policies, operator, database, 8000)
    assert not any(is_open(policies, each, database, 5432) for each in STRANGERS)


def test_a_pooler_is_reached_where_there_is_one(helm: str) -> None:
    made = render.render(helm, "--set", "database.pooler.host=pgbouncer")
    pooler = Peer("pooler", labels={"app.kubernetes.io/name": "pgbouncer"})
    for policies, there in ((of_kind(read(made), "NetworkPolicy"), True), (policies_of("default"), False)):
        ours, _ = peers("default")
        assert {is_open(policies, each, pooler, 6432) for each in ours} == {there}
        assert not any(is_open(policies, each, pooler, 5432) for each in ours)


def without(policies: list[Mapping[str, Any]], name: str) -> list[Mapping[str, Any]]:
    return [each for each in policies if each["metadata"]["name"] != f"relata-{name}"]


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ("default", "default-deny"),
        ("default", "dns"),
        ("default", "database"),
        ("default", "kafka"),
        ("default", "clients"),
        ("default", "gateway-to-services"),
        ("default", "services-from-gateway"),
        ("default", "metrics"),
        ("default", "internet"),
        ("production", "mail"),
        ("production", "collector"),
    ],
)
def test_each_policy_is_needed(values: str, name: str) -> None:
    remaining = without(policies_of(values), name)
    assert len(remaining) < len(policies_of(values))
    assert set(reached(remaining, values)) != expected(values)


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [("https://traces.example.com", 443), ("http://collector.monitoring", 80), ("http://[fd00::1]:4319", 4319)],
)
def test_the_collectors_port_is_that_of_its_address(helm: str, endpoint: str, port: int) -> None:
    made = render.render(helm, "--set", f"tracing.enabled=true,tracing.endpoint={endpoint}")
    (policy,) = [
        each for each in of_kind(read(made), "NetworkPolicy") if each["metadata"]["name"] == "relata-collector"
    ]
    assert policy["spec"]["egress"][0]["ports"] == [{"port": port, "protocol": "TCP"}]


def test_a_policy_that_lets_too_much_through_is_found() -> None:
    policies = deepcopy(policies_of("default"))
    internet = next(each for each in policies if each["metadata"]["name"] == "relata-internet")
    internet["spec"]["egress"][0]["to"][0]["ipBlock"]["except"].remove("169.254.0.0/16")
    assert ("gateway-consume", "metadata of the cloud", 443) in set(reached(policies, "default")) - expected("default")
