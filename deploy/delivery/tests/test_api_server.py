"""Kubernetes' own API server takes every object that the chart renders, strictly, and every pod under Pod Security `restricted`."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
import yaml
from crm_delivery import render
from crm_delivery.api_server.server import ApiServer, Refused, running
from crm_delivery.objects import Object, of_kind, read, workloads
from crm_delivery.published import NotToBeHad, definitions_of_go_modules, definitions_of_strimzi

NAMESPACE = read((render.FOLDER / "namespace.yaml").read_text())


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    try:
        definitions = [*definitions_of_go_modules(), *definitions_of_strimzi()]
        with running() as started:
            for each in definitions:
                started.define(each)
            for each in NAMESPACE:
                started.apply(each)
            yield started
    except NotToBeHad as reason:
        pytest.skip(str(reason))


def manifest(name: str) -> list[Object]:
    return read((render.FOLDER / f"{name}.yaml").read_text())


def pods(name: str) -> Iterator[dict[str, Any]]:
    """What controllers would make of each template."""
    for each in workloads(manifest(name)):
        template = deepcopy(dict(each.template))
        metadata = {**template["metadata"], "name": each.name, "namespace": "relata"}
        yield {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


@pytest.mark.parametrize("name", render.EXAMPLES)
def test_every_object_is_taken(server: ApiServer, name: str) -> None:
    objects = manifest(name)
    assert objects
    for each in objects:
        taken = server.apply(each, dry_run=True)
        assert taken["metadata"]["name"] == each["metadata"]["name"]


@pytest.mark.parametrize("name", render.EXAMPLES)
def test_every_pod_is_let_in_where_only_restricted_ones_are(server: ApiServer, name: str) -> None:
    for each in of_kind(manifest(name), "ServiceAccount"):
        server.apply(each)
    made = list(pods(name))
    assert made
    for each in made:
        server.apply(each, dry_run=True)


def test_a_pod_that_may_more_is_refused(server: ApiServer) -> None:
    each = next(pods("default"))
    for account in of_kind(manifest("default"), "ServiceAccount"):
        server.apply(account)
    each["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    with pytest.raises(Refused, match='violates PodSecurity "restricted'):
        server.apply(each, dry_run=True)


@pytest.mark.parametrize(
    ("kind", "member"),
    [
        ("Deployment", "replicaz"),
        ("StatefulSet", "replicaz"),
        ("Cluster", "instancez"),
        ("Kafka", "kafca"),
        ("KafkaUser", "akls"),
        ("ScaledObject", "triggerz"),
        ("HTTPRoute", "rulez"),
        ("PodMonitor", "selektor"),
    ],
)
def test_a_misspelt_member_is_refused(server: ApiServer, kind: str, member: str) -> None:
    each = deepcopy(dict(of_kind([*manifest("production"), *manifest("default")], kind)[0]))
    each["spec"] |= {member: 1}
    with pytest.raises(Refused, match=rf"unknown field|\.spec\.{member}: field not declared"):
        server.apply(each, dry_run=True)


def test_values_of_custom_resources_are_judged_too(server: ApiServer) -> None:
    """By the definitions' own rules, which a schema alone does not tell."""
    cluster = yaml.safe_load(yaml.safe_dump(dict(of_kind(manifest("production"), "Cluster")[0])))
    cluster["spec"]["instances"] = 0
    with pytest.raises(Refused, match="instances"):
        server.apply(cluster, dry_run=True)
