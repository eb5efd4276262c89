"""What lies in deploy/observability, as Prometheus and Grafana would read it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promql_parser
import yaml

ROOT = Path(__file__).parents[4]
FILES = ROOT / "deploy" / "observability"
RUNBOOK = ROOT / "docs" / "runbook"
ALERTS = FILES / "alerts.yaml"

_VARIABLES = {"$__rate_interval": "5m", "$service": ".*"}


@dataclass(frozen=True)
class Query:
    """`expression`: with Grafana's variables replaced by what stands for everything."""

    dashboard: str
    panel: str
    expression: str

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.panel}"


@dataclass(frozen=True)
class Alert:
    name: str
    expression: str
    severity: str
    runbook: str


def dashboards() -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text()) for path in sorted((FILES / "dashboards").glob("*.json"))}


def queries() -> Iterator[Query]:
    """Of every panel of every dashboard, and of its variables."""
    for name, board in dashboards().items():
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                yield Query(name, panel["title"], _without_variables(target["expr"]))
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                metric, label = variable["query"]["query"].removeprefix("label_values(").removesuffix(")").split(", ")
                yield Query(name, f"variable {variable['name']}", f"group by ({label}) ({metric})")


def alerts() -> list[Alert]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [
        Alert(rule["alert"], rule["expr"], rule["labels"]["severity"], rule["annotations"]["runbook_url"])
        for group in groups
        for rule in group["rules"]
    ]


def selectors(expression: str) -> set[str]:
    """Every selector of series in it, by itself."""
    return {
        each.prettify()
        for each in _nodes(promql_parser.parse(expression))
        if isinstance(each, promql_parser.VectorSelector)
    }


def sums_of(expression: str) -> set[str]:
    """Metrics of which it sums plain values, as it may do with what each process counts for itself."""
    sums = [
        node
        for node in _nodes(promql_parser.parse(expression))
        if isinstance(node, promql_parser.AggregateExpr) and str(node.op) == "sum"
    ]
    return {node.expr.name or "" for node in sums if isinstance(node.expr, promql_parser.VectorSelector)}


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    children = [getattr(node, name, None) for name in ("expr", "lhs", "rhs", "vector_selector", "param")]
    for child in (*children, *(getattr(node, "args", None) or ())):
        if isinstance(child, promql_parser.Expr):
            yield from _nodes(child)


def _without_variables(expression: str) -> str:
    for name, value in _VARIABLES.items():
        expression = expression.replace(name, value)
    assert "$" not in expression, expression
    return expression
