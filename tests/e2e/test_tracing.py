"""One trace from a click to the view and to the ERP, by what the processes of a real stack send to a collector."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio
from crm_testkit.collector import Collector, SeenSpan, running_collector
from crm_testkit.kafka_broker import RealKafka
from crm_testkit.shops import Shop, ShopifyCustomer
from crm_testkit.stand_in import running_stand_in
from crm_testkit.webhooks import Hooks
from crm_testkit.whole_stack import Relata, running_stack

VIEW, JOURNAL = "gateway.view", "gateway.webhooks"
CONTACT = "crm.contacts.contact"
PERSONAL = ("Zsuzsanna Quirrenbach", "quirrenbach@example.com", "+4915799912345", "Kopfstein-Allee 9")


@dataclass(frozen=True)
class Traced:
    """A stack that sends its spans to `collector`, and a receiver that is told of contacts."""

    relata: Relata
    collector: Collector
    hooks: Hooks


async def _traced(bus: str, kafka: str = "") -> AsyncIterator[Traced]:
    async with (
        running_collector() as collector,
        running_stand_in() as receiver,
        running_stack("kafka" if bus == "kafka" else "embedded", kafka, settings=collector.environment) as relata,
    ):
        hooks = Hooks(relata.client, receiver)
        await hooks.subscribe(kinds=["contact.*"])
        yield Traced(relata, collector, hooks)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def on_embedded_traced() -> AsyncIterator[Traced]:
    async for traced in _traced("embedded"):
        yield traced


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def on_kafka_traced(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Traced]:
    """On a broker of its own, beside that of the stack that other tests share."""
    with RealKafka(tmp_path_factory.mktemp("kafka")) as broker:
        async for traced in _traced("kafka", broker.bootstrap_servers):
            yield traced


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def traced(request: pytest.FixtureRequest) -> Traced:
    found = request.getfixturevalue(f"on_{request.param}_traced")
    assert isinstance(found, Traced)
    return found


def click() -> tuple[str, str, dict[str, str]]:
    """Trace and span of a frontend, and the header that it sends."""
    trace_id, span_id = os.urandom(16).hex(), os.urandom(8).hex()
    return trace_id, span_id, {"traceparent": f"00-{trace_id}-{span_id}-01"}


def has_arrived(spans: Sequence[SeenSpan]) -> bool:
    """Whether there are the view's span, the sent event's and the receiver's request."""
    groups = {span.attributes.get("messaging.consumer.group.name") for span in spans}
    names = {(span.service, span.name) for span in spans}
    return (
        {VIEW, JOURNAL} <= groups
        and ("gateway", "POST") in names
        and any(name.startswith("send ") for _, name in names)
    )


@pytest.mark.parametrize("is_fast", [True, False])
async def test_one_trace_leads_from_the_click_to_the_view_and_to_the_receiver(traced: Traced, is_fast: bool) -> None:
    trace_id, span_id, headers = click()
    if not is_fast:
        headers["Expect"] = "nothing"  # not what the fast path takes
    body = {"full_name": PERSONAL[0]}
    made = await traced.relata.client.post("/v1/contacts", json=body, headers=headers)
    assert made.status_code == 201, made.text
    trace = await traced.collector.until(
        trace_id, lambda spans: has_arrived(spans) and any("resend_count" in str(one.attributes) for one in spans)
    )
    route = (
        "POST /v1/contacts/*"
        if is_fast
        else next(span.name for span in trace.spans if (span.service, span.kind) == ("gateway", "server"))
    )
    door = trace.only("gateway", route)
    assert (door.parent_id, door.kind) == (span_id, "server")
    assert made.headers["traceparent"] == f"00-{trace_id}-{door.span_id}-01"
    asked = trace.only("gateway", "POST", server__address="contacts")
    served = trace.only("contacts", "POST /v1/contacts")
    created = trace.only("contacts", f"create {CONTACT}")
    above = [f"gateway: {route}", "gateway: POST", "contacts: POST /v1/contacts", f"contacts: create {CONTACT}"]
    assert trace.way(created) == above
    assert (asked.kind, served.kind, created.kind) == ("client", "server", "producer")
    assert served.attributes["http.response.status_code"] == 201

    sent = trace.only("contacts", f"send {CONTACT}")
    view = trace.only("gateway", f"process {CONTACT}", messaging__consumer__group__name=VIEW)
    journal = trace.only("gateway", f"process {CONTACT}", messaging__consumer__group__name=JOURNAL)
    [told] = [span for span in trace.spans if "http.request.resend_count" in span.attributes]
    for span in (sent, view, journal, told):
        assert trace.way(span)[:-1] == above
    assert {told.kind, sent.kind, view.kind} == {"client", "consumer"}
    assert served.began <= sent.began <= sent.ended <= view.ended
    [request] = [one for one in traced.hooks.receiver.asked if one.headers.get("traceparent", "")[3:35] == trace_id]
    assert request.headers["traceparent"] == f"00-{trace_id}-{told.span_id}-01"
    assert {span.parent_id for span in trace.spans} <= {span.span_id for span in trace.spans} | {span_id}
    assert {span.attributes["relata.tenant.id"] for span in (door, served, view, told)} == {
        traced.relata.stack.dev["tenant_id"]
    }


async def test_a_shop_s_delivery_is_in_the_trace_of_what_becomes_of_it(traced: Traced) -> None:
    answer = await traced.relata.client.post("/v1/inbound-sources", json={"name": "Shop", "kind": "shopify"})
    assert answer.status_code == 201, answer.text
    trace_id, span_id, headers = click()
    async with httpx.AsyncClient(base_url=traced.relata.gateway_url, headers=headers, timeout=60) as sender:
        customer = ShopifyCustomer(9, f"{trace_id}@example.com").payload()
        answer = await Shop(sender, answer.json()).shopify("customers/create", customer)
        assert answer.status_code == 200, answer.text
    trace = await traced.collector.until(trace_id, has_arrived)
    accepted = trace.only("gateway", "POST /in/{source_id}")
    assert accepted.parent_id == span_id
    view = trace.only("gateway", f"process {CONTACT}", messaging__consumer__group__name=VIEW)
    way = trace.way(view)
    assert way[:2] == ["gateway: POST /in/{source_id}", "gateway: process inbound delivery"]
    assert way[3].startswith("contacts: POST /v1/contacts")


async def test_of_events_that_are_applied_together_each_keeps_its_trace(traced: Traced) -> None:
    clicks = [click() for _ in range(40)]
    await asyncio.gather(
        *(
            traced.relata.client.post("/v1/contacts", json={"full_name": f"Together {number}"}, headers=headers)
            for number, (_, _, headers) in enumerate(clicks)
        )
    )
    created: dict[str, str] = {}
    views: list[SeenSpan] = []
    for trace_id, _, _ in clicks:
        trace = await traced.collector.until(trace_id, has_arrived)
        origin = trace.only("contacts", f"create {CONTACT}")
        created[trace_id] = origin.span_id
        view = trace.only("gateway", f"process {CONTACT}", messaging__consumer__group__name=VIEW)
        assert trace.parent(view) == origin
        views.append(view)
    linked = [link for view in views for link in view.links]
    assert all(created[trace_id] == span_id for trace_id, span_id in linked)
    together = sum(view.attributes["messaging.batch.message_count"] > 1 for view in views)
    assert bool(linked) == bool(together)


async def test_what_a_timer_does_is_a_trace_too(traced: Traced) -> None:
    made = await traced.relata.client.post("/v1/exports", json={"resource": "contacts", "format": "csv"})
    assert made.status_code == 201, made.text
    async with asyncio.timeout(60):
        while not (found := [span for span in traced.collector.spans if span.name.startswith("timer ")]):
            await asyncio.sleep(0.1)
    assert {(span.kind, span.parent_id) for span in found} == {("internal", "")}


async def test_spans_hold_nobody_s_data(traced: Traced) -> None:
    name, mail, phone, street = PERSONAL
    trace_id, _, headers = click()
    client = traced.relata.client
    body = {
        "full_name": name,
        "emails": [{"address": mail}],
        "phones": [{"number": phone}],
        "address": {"street": street},
    }
    made = await client.post("/v1/contacts", json=body, headers=headers)
    assert made.status_code == 201, made.text
    for path in (f"/v1/contacts/{mail}", f"/v1/customers/{mail}", f"/v1/{mail}", f"/{mail}", f"/in/{mail}"):
        await client.get(path, headers=headers)
    for path in ("/v1/contacts", "/v1/customers"):
        await client.get(path, params={"q": name, "email": mail}, headers=headers | {"X-Request-Id": "quirrenbach"})
    await client.post(f"/v1/contacts/{mail}/nothing", json=body, headers=headers | {"User-Agent": name})
    await traced.collector.until(trace_id, lambda spans: len([one for one in spans if one.kind == "server"]) >= 10)
    sent = b"".join(traced.collector.raw).lower()
    for each in (*PERSONAL, "quirrenbach"):
        assert each.lower().encode() not in sent
    assert max(len(str(value)) for span in traced.collector.spans for value in span.attributes.values()) < 200


async def test_a_stranger_s_word_does_not_have_a_trace_recorded() -> None:
    async with running_collector() as collector:
        settings = collector.environment | {
            "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": "0",
        }
        async with running_stack("embedded", settings=settings) as relata:
            _, _, headers = click()
            made = await relata.client.post("/v1/contacts", json={"full_name": "Unseen"}, headers=headers)
            assert made.headers["traceparent"].endswith("-00")
    assert not collector.spans  # the processes have ended, and sent what they had
