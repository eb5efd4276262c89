"""The table of all metrics in docs/observability.md: `python -m crm_testkit.metrics_table` writes it."""

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from prometheus_client import REGISTRY, Counter, Gauge, Histogram

DOCUMENT: Final = Path(__file__).parents[4] / "docs" / "observability.md"
BEGIN, END = "<!-- metrics: begin -->", "<!-- metrics: end -->"

_MODULES: Final = ("gateway", "contacts_svc", "pipeline_svc", "tickets_svc", "campaigns_svc")
_OF_PROCESS: Final = frozenset({"crm_db_pool_connections", "crm_db_pool_limit", "crm_webhook_endpoints_sending"})
"""Gauges that tell of their process; all others tell of what lies in a database or in the log."""


@dataclass(frozen=True)
class Metric:
    """`of`: what one process's value tells of. That of the installation is told alike by each that tells it."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str
    of: Literal["process", "installation"]


def metrics() -> list[Metric]:
    """Of all services, by name."""
    for module in _MODULES:
        importlib.import_module(f"{module}.manifest")
    collectors = {id(each): each for each in REGISTRY._collector_to_names}  # the registry names them in no other way
    found = [each for each in collectors.values() if isinstance(each, Counter | Gauge | Histogram)]
    return sorted((_metric(each) for each in found if each._name.startswith("crm_")), key=lambda metric: metric.name)


def _metric(collector: Counter | Gauge | Histogram) -> Metric:
    name = collector._name + ("_total" if isinstance(collector, Counter) else "")
    kind: Literal["counter", "gauge", "histogram"] = (
        "counter" if isinstance(collector, Counter) else "gauge" if isinstance(collector, Gauge) else "histogram"
    )
    of: Literal["process", "installation"] = (
        "installation" if kind == "gauge" and name not in _OF_PROCESS else "process"
    )
    return Metric(name, kind, tuple(collector._labelnames), collector._documentation, of)


def table(rows: Iterable[Metric] | None = None) -> str:
    """In Markdown. Of counters and histograms rates are added up; of gauges it says what to do."""
    how = {"process": "sum", "installation": "max"}
    lines = ["| metric | kind | labels | over processes | what it tells |", "|---|---|---|---|---|"]
    for each in metrics() if rows is None else rows:
        labels = ", ".join(each.labels)
        lines.append(f"| `{each.name}` | {each.kind} | {labels} | {how[each.of]} | {each.help} |")
    return "\n".join(lines)


def documented(text: str) -> str:
    """What stands between the marks."""
    return text.partition(BEGIN)[2].partition(END)[0].strip()


def write() -> None:
    text = DOCUMENT.read_text()
    DOCUMENT.write_text(f"{text.partition(BEGIN)[0]}{BEGIN}\n{table()}\n{END}{text.partition(END)[2]}")


if __name__ == "__main__":
    write()
