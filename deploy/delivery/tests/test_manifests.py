"""What is committed is what the chart renders, and what Kubernetes takes."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from crm_delivery import render, topology, values_page
from crm_delivery.objects import JOBS, RUNNING, of_kind, read, workloads

VERSIONS = ("1.31", "1.34", "1.37")
CUSTOM = (
    "Cluster", "Kafka", "KafkaNodePool", "KafkaTopic", "KafkaUser", "ScaledObject", "TriggerAuthentication", "HTTPRoute",
    "PodMonitor", "PrometheusRule",
)  # fmt: skip


def manifest(name: str) -> list[Mapping[str, Any]]:
    return read((render.FOLDER / f"{name}.yaml").read_text())


def test_manifests_are_of_the_chart_and_the_chart_is_of_the_services() -> None:
    assert render.faults() == []


@pytest.mark.parametrize("name", render.EXAMPLES)
def test_manifests_are_what_helm_renders(helm: str, name: str) -> None:
    assert (render.FOLDER / f"{name}.yaml").read_text() == render.render_example(helm, name), "run `make render`"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", [*render.EXAMPLES, "namespace"])
def test_kubernetes_takes_every_object(name: str, version: str) -> None:
    objects = [each for each in manifest(name) if each["kind"] not in CUSTOM]
    assert objects
    for each in objects:
        kubernetes_validate.validate(each, version, strict=True)


def test_a_field_that_kubernetes_does_not_know_is_found() -> None:
    deployment = of_kind(manifest("default"), "Deployment")[0]
    deployment["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(deployment, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("name", render.EXAMPLES)
def test_names_are_unique_and_labels_select_one_workload_each(name: str) -> None:
    objects = manifest(name)
    names = [(each["kind"], each["metadata"]["name"]) for each in objects]
    assert len(names) == len(set(names))
    made = list(workloads(objects))
    for deployment in of_kind(objects, *RUNNING, "PodDisruptionBudget"):
        selector = deployment["spec"]["selector"]["matchLabels"]
        assert len([each for each in made if selector.items() <= each.labels.items()]) == 1


@pytest.mark.parametrize("name", ["default", "production"])
def test_each_role_of_each_service_is_a_workload_and_each_database_is_made_and_migrated(name: str) -> None:
    services = topology.topology()["services"]
    jobs = JOBS if name == "production" else ("migrate",)
    wanted = {f"{service}-{role}" for service, spec in services.items() for role in (*spec["roles"], *jobs)}
    assert wanted == {each.name for each in workloads(manifest(name))}


@pytest.mark.parametrize("name", render.EXAMPLES)
def test_what_is_killed_after_its_grace_has_had_time_to_end(name: str) -> None:
    for each in workloads(manifest(name)):
        if each.role in JOBS:
            continue
        asked = float(each.environment["SHUTDOWN_DELAY_SECONDS"]) + float(each.environment["SHUTDOWN_GRACE_SECONDS"])
        assert each.template["spec"]["terminationGracePeriodSeconds"] > asked


def test_budgets_are_of_what_has_more_than_one_pod() -> None:
    objects = manifest("production")
    several = {each["metadata"]["name"] for each in of_kind(objects, *RUNNING) if each["spec"].get("replicas", 2) > 1}
    assert {each["metadata"]["name"] for each in of_kind(objects, "PodDisruptionBudget")} == several
    assert of_kind(manifest("minimal"), "PodDisruptionBudget") == []


def test_nothing_is_scaled_by_two() -> None:
    objects = manifest("production")
    kinds = {(each["kind"], each["metadata"]["name"]) for each in of_kind(objects, *RUNNING)}
    targets = [each["spec"]["scaleTargetRef"] for each in of_kind(objects, "HorizontalPodAutoscaler", "ScaledObject")]
    assert {(each["kind"], each["name"]) for each in targets} <= kinds
    scaled = [each["name"] for each in targets]
    assert len(scaled) == len(set(scaled)) == 10
    for running in of_kind(objects, *RUNNING):
        assert ("replicas" not in running["spec"]) == (running["metadata"]["name"] in scaled)


def connections(objects: list[Mapping[str, Any]]) -> int:
    """That all pods open at most, as docs/deploying.md counts them."""
    scaled = {
        each["spec"]["scaleTargetRef"]["name"]: each["spec"].get("maxReplicas") or each["spec"].get("maxReplicaCount")
        for each in of_kind(objects, "HorizontalPodAutoscaler", "ScaledObject")
    }
    total = 0
    for each in of_kind(objects, *RUNNING):
        (container,) = each["spec"]["template"]["spec"]["containers"]
        pool = next(int(one["value"]) for one in container["env"] if one["name"] == "DATABASE_POOL_SIZE")
        of_one = 2 * pool + 14 if each["metadata"]["labels"]["relata/service"] == "gateway" else pool + 8
        total += of_one * (scaled.get(each["metadata"]["name"]) or each["spec"]["replicas"])
    return total


def test_pools_add_up_to_less_than_the_server_takes() -> None:
    objects = manifest("production")
    (cluster,) = of_kind(objects, "Cluster")
    assert connections(objects) + 20 < int(cluster["spec"]["postgresql"]["parameters"]["max_connections"])
    values = yaml.safe_load((topology.CHART / "values.yaml").read_text())
    assert connections(manifest("default")) + 20 < int(values["cloudnativepg"]["parameters"]["max_connections"])


def test_every_value_is_described() -> None:
    schema = json.loads((topology.CHART / "values.schema.json").read_text())
    described = dict(_described(schema["properties"], schema, ""))
    values = yaml.safe_load((topology.CHART / "values.yaml").read_text())
    told = values_page.text()
    for path in _leaves(values, ""):
        near = next(each for each in _prefixes(path) if each in described)
        assert described[near], f"{near} has no description"
        assert f"| `{near}` |" in told


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ("publicUrl=crm.example.com", "publicUrl"),
        ("layout=pod", "layout"),
        ("databse.host=x", "databse"),
        ("keda.maxReplicas=13", "maxReplicas"),
        ("ingress.enabled=true", "ingress.host is needed"),
        ("strimzi.enabled=true,strimzi.authentication=plain", "authentication"),
        ("kafka.securityProtocol=TLS", "securityProtocol"),
        ("monitoring.rules.enabled=true", "monitoring.rules.runbookUrl is needed"),
        ("tracing.endpoint=collector:4318", "endpoint"),
        ("provision.enabled=true", "provision.administratorSecret.name is needed"),
    ],
)
def test_wrong_values_are_refused_by_name(helm: str, values: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        render.render(helm, "--set", values)


def _described(properties: Mapping[str, Any], schema: Mapping[str, Any], before: str) -> Iterator[tuple[str, str]]:
    for name, each in properties.items():
        what = schema["definitions"][each["$ref"].rpartition("/")[2]] if "$ref" in each else each
        yield f"{before}{name}", what.get("description", "")
        yield from _described(what.get("properties", {}), schema, f"{before}{name}.")


def _leaves(values: Mapping[str, Any], before: str) -> Iterator[str]:
    for name, each in values.items():
        if isinstance(each, dict) and each:
            yield from _leaves(each, f"{before}{name}.")
        else:
            yield f"{before}{name}"


def _prefixes(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition(".")[0]


def test_files_that_are_committed_are_those_that_are_rendered() -> None:
    there = {path.stem for path in Path(render.FOLDER).glob("*.yaml")}
    assert there == {*render.EXAMPLES, "namespace"}
