"""The Prometheus operator and Grafana get what lies in deploy/observability, and find every process."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from crm_delivery import render
from crm_delivery.objects import JOBS, of_kind, read, workloads
from crm_delivery.reach import matches
from crm_testkit.observability_files import ALERTS, RUNBOOK, dashboards

Object = Mapping[str, Any]


@pytest.fixture(scope="module")
def production() -> list[Object]:
    return read((render.FOLDER / "production.yaml").read_text())


def test_every_process_is_scraped_as_the_job_that_alerts_name(production: list[Object]) -> None:
    (monitor,) = of_kind(production, "PodMonitor")
    selector, label = monitor["spec"]["selector"], monitor["spec"]["jobLabel"]
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    for each in workloads(production):
        assert matches(selector, each.labels) == (each.role not in JOBS), each.name
        if each.role not in JOBS:
            assert each.labels[label] == "relata"
            assert endpoint["port"] in [port["name"] for port in each.container["ports"]]


def test_rules_are_the_alerts_with_whole_addresses_of_their_pages(production: list[Object]) -> None:
    (rules,) = of_kind(production, "PrometheusRule")
    alerts = yaml.safe_load(ALERTS.read_text())
    pages = {f"https://wiki.example.com/relata/runbook/{path.name}" for path in RUNBOOK.glob("Relata*.md")}
    told = [rule["annotations"].pop("runbook_url") for group in rules["spec"]["groups"] for rule in group["rules"]]
    for group in alerts["groups"]:
        for rule in group["rules"]:
            del rule["annotations"]["runbook_url"]
    assert sorted(told) == sorted(pages)
    assert rules["spec"] == alerts


def test_dashboards_are_those_of_the_folder(production: list[Object]) -> None:
    asked = [each for each in of_kind(production, "ConfigMap") if each["metadata"]["labels"].get("grafana_dashboard")]
    found = {name: json.loads(text) for each in asked for name, text in each["data"].items()}
    assert found == {f"relata-{name}.json": board for name, board in dashboards().items()}


def test_traces_go_to_the_collector_from_whatever_runs(production: list[Object]) -> None:
    for each in workloads(production):
        told = {name: value for name, value in each.environment.items() if name.startswith("OTEL_")}
        assert bool(told) == (each.role not in JOBS), each.name
        if told:
            assert told == {
                "OTEL_TRACES_EXPORTER": "otlp",
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.monitoring:4318",
                "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
                "OTEL_TRACES_SAMPLER_ARG": "0.05",
            }


def test_without_being_asked_for_there_is_none_of_it() -> None:
    objects = read((render.FOLDER / "default.yaml").read_text())
    assert of_kind(objects, "PodMonitor", "PrometheusRule", "ConfigMap") == []
    assert not any(name.startswith("OTEL_") for each in workloads(objects) for name in each.environment)
