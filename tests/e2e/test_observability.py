"""Every query of every dashboard and every alert, by Prometheus, of a running stack to which everything has happened."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from crm_testkit.customer_world import World
from crm_testkit.observability_files import ALERTS, FILES, Query, alerts, queries, selectors
from crm_testkit.prometheus import (
    Prometheus,
    PrometheusUnavailable,
    check_rules,
    find_prometheus,
    run_rule_tests,
    running_prometheus,
)
from crm_testkit.shops import Shop, ShopifyCustomer
from crm_testkit.stand_in import Reply, running_stand_in
from crm_testkit.whole_stack import Relata, running_stack
from prometheus_client.parser import text_string_to_metric_families

SETTINGS = {"RECONCILE_INTERVAL_SECONDS": "3"}
HAPPENED = (
    'max(crm_webhook_endpoints{state="failing"}) == 1',
    'max(crm_webhook_endpoints{state="on"}) == 1',
    'max(crm_webhook_deliveries_waiting{state="retried"}) >= 1',
    'sum(crm_webhook_attempts_total{outcome="refused"}) >= 1',
    'sum(crm_webhook_attempts_total{outcome="taken"}) >= 1',
    'sum(max by (service, stage, consumer) (crm_dead_letters{stage="consumer"})) >= 4',
    'sum(crm_inbound_deliveries_total{status="done"}) >= 1',
    'sum(crm_inbound_deliveries_total{status="parked"}) >= 1',
    'sum(crm_http_requests_total{service="gateway",status="503"}) >= 1',
    "max(crm_reconcile_last_run_timestamp_seconds) > 0",
    'sum(crm_timers_total{kind="run_job",outcome="done"}) >= 1',
    'sum(crm_consumer_delay_seconds_count{consumer="gateway.view"}) >= 1',
    "max(crm_outbox_oldest_seconds) == 0",
    "max(crm_consumer_lag_seconds) < 30",
)


@pytest.fixture(scope="module", autouse=True)
def programs() -> Path:
    try:
        return find_prometheus()
    except PrometheusUnavailable as error:
        pytest.skip(str(error))


@dataclass(frozen=True)
class Watched:
    relata: Relata
    prometheus: Prometheus


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def watched(programs: Path) -> AsyncIterator[Watched]:
    async with running_stack("embedded", settings=SETTINGS) as relata:
        targets = [url.removeprefix("http://") for url in relata.stack.urls.values()]
        async with running_prometheus(targets, ALERTS) as prometheus, running_stand_in() as receiver:
            await prometheus.until('count(up{job="relata"} == 1) == 5')
            receiver.reset(lambda asked: Reply(500 if asked.target.endswith("failing") else 204, {}, b""))
            await _let_everything_happen(relata, receiver.url)
            for expression in HAPPENED:
                await prometheus.until(expression)
            async with asyncio.timeout(60):  # what a counter begins with is no increase
                while not await prometheus.query('sum(rate(crm_http_requests_total{service="gateway"}[5m])) > 0'):
                    assert (await relata.client.get("/v1/contacts")).status_code == 200
                    await asyncio.sleep(0.5)
            yield Watched(relata, prometheus)


async def _let_everything_happen(relata: Relata, receiver: str) -> None:
    client = relata.client
    for path in ("taking", "failing"):
        await _made(client, "/v1/webhook-endpoints", {"url": f"{receiver}/{path}", "kinds": ["contact.*"]})
    contact = await _made(client, "/v1/contacts", {"full_name": "Watched"})
    for path in ("/v1/deals", "/v1/tickets", "/v1/campaigns", f"/v1/contacts/{contact['id']}"):
        assert (await client.get(path)).status_code == 200
    await _made(client, "/v1/exports", {"resource": "contacts", "format": "csv"})
    source = await _made(client, "/v1/inbound-sources", {"name": "Shop", "kind": "shopify"})
    async with httpx.AsyncClient(base_url=relata.gateway_url, timeout=60) as sender:
        for topic in ("customers/create", "unknown/topic"):
            sent = await Shop(sender, source).shopify(topic, ShopifyCustomer(3, "watched@example.com").payload())
            assert sent.status_code == 200, sent.text
    world = World(str(relata.stack.dev["tenant_id"]))
    world.create("contact")
    [(topic, event)] = world.events
    await relata.publish((topic, replace(event, type="crm.contacts.contact.created.v2")))
    await relata.stack.take_down("tickets")
    assert (await client.get("/v1/tickets")).status_code == 503
    await relata.stack.bring_back("tickets")


async def _made(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


@pytest.mark.parametrize("query", list(queries()), ids=str)
async def test_a_dashboard_s_query_finds_something(watched: Watched, query: Query) -> None:
    found = await watched.prometheus.query(query.expression)
    assert found, query.expression
    assert any(value == value for _, value in found), f"{query.expression}: nothing but NaN"


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.name)
async def test_what_an_alert_looks_at_is_there(watched: Watched, alert: Any) -> None:
    await watched.prometheus.query(alert.expression)
    for selector in selectors(alert.expression):
        assert await watched.prometheus.query(selector), f"{alert.name}: {selector} matches nothing"


async def test_prometheus_evaluates_every_alert_and_fires_of_a_stack_that_is_well_only_what_was_done_to_it(
    watched: Watched,
) -> None:
    async def evaluated() -> list[dict[str, Any]]:
        return [rule for rule in await watched.prometheus.rules() if rule["lastEvaluation"] > "0002"]

    async with asyncio.timeout(30):
        while len(rules := await evaluated()) < len(alerts()):
            await asyncio.sleep(0.5)
    assert {rule["name"]: rule["health"] for rule in rules} == {alert.name: "ok" for alert in alerts()}
    told = {rule["name"] for rule in rules if rule["state"] != "inactive"}
    assert "RelataDeadLetters" in told
    assert told <= {"RelataDeadLetters", "RelataErrors", "RelataDrift", "RelataViewsNotComposed", "RelataProcessDown"}


async def test_no_request_makes_a_series_that_others_have_not_made(watched: Watched) -> None:
    """Whatever its path, method, query, headers and tenant."""
    gateway = watched.relata.gateway_url

    async def ask(word: str, key: str | None) -> None:
        headers = {"X-Request-Id": word, "User-Agent": word, "Relata-Correlation-Id": word}
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        async with httpx.AsyncClient(base_url=gateway, headers=headers, timeout=60) as client:
            for path in (f"/{word}", f"/v1/{word}", f"/v1/contacts/{word}", f"/v1/customers/{word}", f"/in/{word}"):
                for method in ("GET", "POST", "DELETE", "PROPFIND", "X" + word[:20].upper()):
                    await client.request(method, path, params={word: word}, json={word: word})
            await client.get(f"/v1/contacts/{word}/{word}/{word}")
            await client.get("/v1/contacts", params={"sort": word, "cursor": word, word: word})
            await client.post("/v1/contacts", json={"full_name": word})

    own = str(watched.relata.stack.dev["api_key"])
    for key in (own, None, "rk_nobody"):  # what there is to be said to each has been said
        await ask(uuid.uuid4().hex, key)
    await _settled(watched.relata)
    before = await _series(watched.relata)
    keys = [await watched.relata.new_tenant_key(f"Tenant {number}") for number in range(3)]
    for key in (*keys, own, None, "rk_somebody"):
        for _ in range(2):
            await ask(uuid.uuid4().hex, key)
    await _settled(watched.relata)
    grown = await _series(watched.relata) - before
    unexpected = {each for each in grown if "/v1/tenants" not in str(each)}  # making tenants is a route of its own
    assert not unexpected, sorted(unexpected, key=str)


async def _settled(relata: Relata) -> None:
    """Until what was written has reached everybody, and was measured."""
    async with asyncio.timeout(60):
        while True:
            text = "".join(await _scrapes(relata))
            lags = [line for line in text.splitlines() if line.startswith("crm_consumer_lag_events{")]
            if all(line.endswith(" 0.0") for line in lags):
                return
            await asyncio.sleep(0.5)


async def _scrapes(relata: Relata) -> Sequence[str]:
    async with httpx.AsyncClient(timeout=30) as client:
        return [(await client.get(f"{url}/metrics")).text for url in relata.stack.urls.values()]


async def _series(relata: Relata) -> set[tuple[str, frozenset[tuple[str, str]]]]:
    return {
        (sample.name, frozenset(sample.labels.items()))
        for text in await _scrapes(relata)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_alert_rules_are_well_formed_and_fire_when_they_should() -> None:
    assert check_rules(ALERTS) == ""
    assert run_rule_tests(FILES / "alerts_test.yaml") == ""
