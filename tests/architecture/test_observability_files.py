"""Dashboards, alerts, their runbook and the table of metrics fit one another."""

import re

from crm_testkit.metrics_table import DOCUMENT, documented, metrics, table
from crm_testkit.observability_files import RUNBOOK, alerts, dashboards, queries, sums_of

_PARTS = ["## Symptom", "## Meaning", "## Look at", "## Do"]


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    pages = {f"docs/runbook/{path.name}": path.read_text() for path in RUNBOOK.glob("Relata*.md")}
    assert {alert.runbook for alert in alerts()} == pages.keys()
    assert {alert.name: alert.runbook for alert in alerts()} == {
        alert.name: f"docs/runbook/{alert.name}.md" for alert in alerts()
    }
    for name, text in pages.items():
        assert re.findall(r"^## .*$", text, re.MULTILINE) == _PARTS, name
        assert all(len(part.strip()) > 20 for part in re.split(r"^## .*$", text, flags=re.MULTILINE)[1:]), name


def test_what_a_process_says_of_the_database_is_never_added_up() -> None:
    """Each that measures it says the same: two would double it."""
    of_all = {metric.name for metric in metrics() if metric.of == "installation"}
    for expression in [*(query.expression for query in queries()), *(alert.expression for alert in alerts())]:
        assert not sums_of(expression) & of_all, expression


def test_dashboards_link_to_alerts_that_are_there_and_have_panels_of_their_own_ids() -> None:
    names = {alert.name for alert in alerts()}
    assert len(dashboards()) == len({board["uid"] for board in dashboards().values()}) == 5
    for board in dashboards().values():
        ids = [panel["id"] for panel in board["panels"]]
        assert len(ids) == len(set(ids))
        for panel in board["panels"]:
            named = set(re.findall(r"Relata[A-Z]\w+", panel.get("description", "")))
            assert named <= names, panel["title"]
            assert panel["type"] == "row" or panel["description"], panel["title"]


def test_the_table_of_metrics_is_what_the_processes_have() -> None:
    assert documented(DOCUMENT.read_text()) == table(), "python -m crm_testkit.metrics_table writes it"
