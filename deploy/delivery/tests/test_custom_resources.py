"""What operators are asked for keeps to the schemas that they publish, and is what the services' code says."""

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any

import pytest
from crm_contracts.registry import EVERY_TOPIC, PARTITIONS
from crm_delivery import render
from crm_delivery.objects import of_kind, read
from crm_delivery.published import NotToBeHad, definitions_of_go_modules, definitions_of_strimzi
from crm_delivery.topology import manifests, topology
from crm_kit.rebuild.reading import group_of
from jsonschema import Draft202012Validator

Object = Mapping[str, Any]
Schemas = dict[tuple[str, str], Object]

WITH_CERTIFICATES = ("--values", str(render.EXAMPLES["production"]), "--set", "strimzi.authentication=tls")


def schemas(definitions: Iterable[Object]) -> Schemas:
    """By apiVersion and kind; a member that is not described is none."""
    found: Schemas = {}
    for each in definitions:
        spec = each["spec"]
        for version in spec["versions"]:
            if version["served"]:
                name = (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
                found[name] = strict(version["schema"]["openAPIV3Schema"])
    return found


def strict(schema: Any) -> Any:
    """A structural schema prunes what it does not describe; here that is a fault."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: strict(each) for name, each in schema.items()}
    described = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
    if described and "additionalProperties" not in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        made["additionalProperties"] = False
    return made


def faults(each: Object, known: Schemas) -> Iterator[str]:
    schema = dict(known[each["apiVersion"], each["kind"]])
    described = {**schema["properties"], "metadata": {"type": "object"}}
    schema["properties"] = described
    for error in Draft202012Validator(schema).iter_errors(each):
        yield f"{each['metadata']['name']}: {'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"


@pytest.fixture(scope="module")
def of_go_modules() -> Schemas:
    try:
        return schemas(definitions_of_go_modules())
    except NotToBeHad as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def of_strimzi() -> Schemas:
    try:
        return schemas(definitions_of_strimzi())
    except NotToBeHad as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def production() -> list[Object]:
    return read((render.FOLDER / "production.yaml").read_text())


@pytest.fixture(scope="module")
def certificates(helm: str) -> list[Object]:
    return read(render.render(helm, *WITH_CERTIFICATES))


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        ("Cluster", 1),
        ("ScaledObject", 5),
        ("TriggerAuthentication", 5),
        ("HTTPRoute", 1),
        ("PodMonitor", 1),
        ("PrometheusRule", 1),
    ],
)
def test_postgresql_scaling_routes_and_monitoring(
    of_go_modules: Schemas, production: list[Object], kind: str, count: int
) -> None:
    asked = of_kind(production, kind)
    assert len(asked) == count
    assert [fault for each in asked for fault in faults(each, of_go_modules)] == []


@pytest.mark.parametrize(
    ("kind", "count"), [("Kafka", 1), ("KafkaNodePool", 1), ("KafkaTopic", len(EVERY_TOPIC)), ("KafkaUser", 5)]
)
def test_kafka_and_its_topics(of_strimzi: Schemas, production: list[Object], kind: str, count: int) -> None:
    asked = of_kind(production, kind)
    assert len(asked) == count
    assert [fault for each in asked for fault in faults(each, of_strimzi)] == []


def test_users_with_certificates(of_strimzi: Schemas, of_go_modules: Schemas, certificates: list[Object]) -> None:
    asked = of_kind(certificates, "Kafka", "KafkaUser")
    assert len(asked) == 6
    assert [fault for each in asked for fault in faults(each, of_strimzi)] == []
    asking = of_kind(certificates, "TriggerAuthentication", "ScaledObject")
    assert [fault for each in asking for fault in faults(each, of_go_modules)] == []


@pytest.mark.parametrize("way", ["scram-sha-512", "tls"])
def test_kafka_asks_everybody_who_they_are(production: list[Object], certificates: list[Object], way: str) -> None:
    (kafka,) = of_kind(production if way == "scram-sha-512" else certificates, "Kafka")
    spec = kafka["spec"]["kafka"]
    assert spec["authorization"] == {"type": "simple"}
    assert [(each["port"], each["tls"], each["authentication"]) for each in spec["listeners"]] == [
        (9093, True, {"type": way})
    ]
    assert "userOperator" in kafka["spec"]["entityOperator"]


@pytest.mark.parametrize("way", ["scram-sha-512", "tls"])
def test_keda_asks_for_lag_as_the_service_itself(
    production: list[Object], certificates: list[Object], way: str
) -> None:
    objects = production if way == "scram-sha-512" else certificates
    authentications = {each["metadata"]["name"]: each["spec"] for each in of_kind(objects, "TriggerAuthentication")}
    names = next((each for each in of_kind(objects, "ConfigMap") if each["metadata"]["name"].endswith("-users")), None)
    for each in of_kind(objects, "ScaledObject"):
        service = each["spec"]["scaleTargetRef"]["name"].split("-")[1]
        for trigger in each["spec"]["triggers"]:
            spec = authentications[trigger["authenticationRef"]["name"]]
            asked = {one["parameter"]: (one["name"], one["key"]) for one in spec["secretTargetRef"]}
            assert trigger["metadata"]["tls"] == "enable"
            assert asked.pop("ca") == ("relata-cluster-ca-cert", "ca.crt")
            if way == "tls":
                assert names is None
                assert "sasl" not in trigger["metadata"]
                assert asked == {
                    part: (f"relata-{service}-kafka", f"user.{end}") for part, end in (("cert", "crt"), ("key", "key"))
                }
            else:
                assert trigger["metadata"]["sasl"] == "scram_sha512"
                assert asked == {"password": (f"relata-{service}-kafka", "password")}
                assert names is not None
                (named,) = spec["configMapTargetRef"]
                assert (named["parameter"], names["metadata"]["name"]) == ("username", named["name"])
                assert names["data"][named["key"]] == f"relata-{service}-kafka"


def test_a_misspelt_member_is_found(of_go_modules: Schemas, production: list[Object]) -> None:
    cluster = deepcopy(of_kind(production, "Cluster")[0])
    cluster["spec"]["storage"]["sise"] = "1Gi"
    assert any("sise" in fault for fault in faults(cluster, of_go_modules))


def test_topics_are_those_of_the_registry(production: list[Object]) -> None:
    topics = {each["spec"]["topicName"]: each["spec"] for each in of_kind(production, "KafkaTopic")}
    assert set(topics) == {topic.name for topic in EVERY_TOPIC}
    for spec in topics.values():
        assert (spec["partitions"], spec["replicas"]) == (PARTITIONS, 3)
        assert spec["config"]["min.insync.replicas"] == 2
        assert spec["config"]["cleanup.policy"] == "compact"


def test_a_service_may_touch_its_own_topics_only(production: list[Object]) -> None:
    for manifest in manifests():
        name = f"relata-{manifest.name}-kafka"
        (user,) = [each for each in of_kind(production, "KafkaUser") if each["metadata"]["name"] == name]
        may: dict[tuple[str, str], set[str]] = {}
        for acl in user["spec"]["authorization"]["acls"]:
            for operation in acl["operations"]:
                may.setdefault((acl["resource"]["type"], operation), set()).add(acl["resource"].get("name", ""))
        told = {events.topic.name for events in manifest.publishes}
        assert may["topic", "Write"] == told | {topic.name for one in manifest.features for topic in one.topics}
        assert all(name.startswith(f"crm.{manifest.name}.") for name in may["topic", "Write"])
        assert may["topic", "Read"] == {topic.name for one in manifest.consumers for topic in one.topics}
        rebuilding = {group_of(one) for one in manifest.consumers if one.projection}
        assert may["group", "Read"] == {one.name for one in manifest.consumers} | rebuilding
        assert {kind for kind, _ in may} == {"topic", "group"}


def test_lag_is_of_every_consumer_group_that_there_is(production: list[Object]) -> None:
    asked = {
        trigger["metadata"]["consumerGroup"]
        for each in of_kind(production, "ScaledObject")
        for trigger in each["spec"]["triggers"]
    }
    assert asked == {group for spec in topology()["services"].values() for group in spec["groups"]}
