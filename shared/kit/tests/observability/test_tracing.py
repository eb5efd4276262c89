"""Which spans are told of, under which, and that nothing is loaded or drawn where nobody is told."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from crm_kit import context
from crm_kit.context import Sampling, Trace
from crm_kit.observability import tracing
from crm_kit.observability.otel import OpenTelemetryRecorder
from crm_kit.observability.sampling import Sampler, sampling_of
from crm_kit.observability.tracing import Span
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{}"
SAMPLED, NOT_SAMPLED = PARENT.format("01"), PARENT.format("00")
TOPIC = "crm.toys.toy"


@dataclass
class Kept:
    """Keeps what it is told."""

    messaging_system: str = "test"
    spans: list[Span] = field(default_factory=list)

    def record(self, span: Span) -> None:
        self.spans.append(span)


@pytest.fixture
def kept() -> Iterator[Kept]:
    recorder = Kept()
    context.use_sampling(sampling_of("parentbased_always_on", 1))
    tracing.use_recorder(recorder)
    yield recorder
    tracing.use_recorder(None)
    context.use_sampling(Sampling())


def traceparent(number: int, flags: str = "01") -> str:
    return f"00-{number:032x}-{number:016x}-{flags}"


def test_each_message_has_a_span_under_its_own_and_the_one_that_all_is_done_under_links_to_the_others(
    kept: Kept,
) -> None:
    messages = [(TOPIC, traceparent(number)) for number in (1, 2, 3)]
    messages += [(TOPIC, traceparent(4, "00")), (TOPIC, None), (TOPIC, "garbage")]
    with tracing.processing("toys", messages, "tenant_1") as found, context.use(context.Context(found.trace, "r")):
        follow_up = tracing.message_created("crm.toys.other")
    assert follow_up is not None
    created, *spans = kept.spans
    assert [(int(span.trace.trace_id, 16), int(span.trace.parent_id or "", 16)) for span in spans] == [
        (1, 1),
        (2, 2),
        (3, 3),
    ]
    assert created.trace.parent_id == spans[-1].trace.span_id == found.trace.span_id
    assert [[int(link.span_id, 16) for link in span.links] for span in spans] == [[], [], [1, 2]]
    assert {(span.kind, span.name) for span in spans} == {("consumer", f"process {TOPIC}")}
    assert {span.attributes["messaging.batch.message_count"] for span in spans} == {6}


def test_of_a_thousand_messages_no_more_are_linked_than_a_span_may_hold(kept: Kept) -> None:
    with tracing.processing("toys", [(TOPIC, traceparent(number)) for number in range(1, 1001)], "tenant_1"):
        pass
    assert [len(span.links) for span in kept.spans] == [0] * 999 + [tracing.MAX_LINKS]


def test_what_fails_says_by_which_kind_of_error_and_not_with_what_words(kept: Kept) -> None:
    with pytest.raises(ValueError), tracing.processing("toys", [(TOPIC, SAMPLED)], "tenant_1"):
        raise ValueError("mei@example.com")
    with pytest.raises(OSError), tracing.work(context.start_trace(), "timer", "tenant_1"):
        raise OSError("mei@example.com")
    assert [span.fault for span in kept.spans] == ["ValueError", "OSError"]
    assert "mei" not in repr(kept.spans)


def test_a_request_that_is_sent_tells_its_status_or_why_there_is_none(kept: Kept) -> None:
    parent = context.start_trace(SAMPLED)
    for status, fault in ((204, None), (503, "503")):
        with tracing.request_under_way(tracing.below(parent), "POST", {}) as exchange:
            exchange.status = status
        assert (kept.spans[-1].fault, kept.spans[-1].attributes["http.response.status_code"]) == (fault, status)
    with pytest.raises(ConnectionError), tracing.request_under_way(tracing.below(parent), "POST", {}):
        raise ConnectionRefusedError
    assert kept.spans[-1].fault == "ConnectionRefusedError"
    assert {span.trace.parent_id for span in kept.spans} == {parent.span_id}


def test_what_is_not_sampled_is_not_told_of(kept: Kept) -> None:
    trace = tracing.of_request(NOT_SAMPLED)
    tracing.request_answered(trace, method="GET", route="/", status=200, seconds=0.1, tenant_id=None)
    with context.use(context.Context(trace, "r")):
        assert tracing.message_created(TOPIC) is None
    tracing.messages_sent([(TOPIC, NOT_SAMPLED, 0.0), (TOPIC, None, 0.0)])
    with tracing.work(context.unrecorded_trace(), "timer", "tenant_1"):
        pass
    assert tracing.below_messages([NOT_SAMPLED, None]) == (None, [])
    assert kept.spans == []


def test_a_recorder_that_nobody_named_is_told_nothing_and_the_caller_s_word_is_passed_on() -> None:
    trace = tracing.of_request(SAMPLED)
    assert (trace.is_sampled, tracing.below(trace), tracing.is_on()) == (True, None, False)
    assert context.start_trace().is_sampled is False


@pytest.mark.parametrize("is_edge", [True, False])
def test_of_strangers_nobody_says_that_a_trace_is_recorded(kept: Kept, is_edge: bool) -> None:
    context.use_sampling(sampling_of("parentbased_always_off", 1))
    tracing.use_recorder(kept, is_edge=is_edge)
    trace = tracing.of_request(SAMPLED)
    assert (trace.trace_id, trace.is_sampled) == (SAMPLED[3:35], not is_edge)
    context.use_sampling(sampling_of("parentbased_always_on", 1))
    assert tracing.of_request(NOT_SAMPLED).is_sampled is is_edge


@pytest.mark.parametrize(
    ("sampler", "begins", "after_yes", "after_no"),
    [
        ("always_on", True, True, True),
        ("always_off", False, False, False),
        ("parentbased_always_on", True, True, False),
        ("parentbased_always_off", False, True, False),
    ],
)
def test_samplers_are_those_of_the_standard(sampler: Sampler, begins: bool, after_yes: bool, after_no: bool) -> None:
    sampling = sampling_of(sampler, 0.5)
    assert sampling.begins() is begins
    assert (sampling.goes_on(sampled=True), sampling.goes_on(sampled=False)) == (after_yes, after_no)


@given(st.sampled_from([0.0, 0.01, 0.5, 1.0]))
def test_about_the_share_is_recorded(share: float) -> None:
    sampling = sampling_of("parentbased_traceidratio", share)
    assert abs(sum(sampling.begins() for _ in range(5000)) / 5000 - share) < 0.05
    assert (sampling.goes_on(sampled=True), sampling.goes_on(sampled=False)) == (True, False)


def test_spans_are_told_as_the_library_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=staging")
    recorder = OpenTelemetryRecorder("toys", "console", "kafka")
    taken: list[ReadableSpan] = []
    recorder._processor.on_end = taken.append  # type: ignore[method-assign]  # in place of the exporter's thread
    trace, other = context.start_trace(SAMPLED), Trace("ab" * 16, "cd" * 8, "01")
    recorder.record(Span(trace, "process", "consumer", 5, 3, {"a": 1}, "OSError", [other]))
    recorder.close()
    [span] = taken
    assert span.context is not None
    assert span.parent is not None
    assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (SAMPLED[3:35], SAMPLED[36:52])
    assert f"{span.context.span_id:016x}" == trace.span_id
    assert (span.start_time, span.end_time, span.kind.name, span.status.is_ok) == (5, 5, "CONSUMER", False)
    assert dict(span.attributes or {}) == {"a": 1, "error.type": "OSError"}
    assert [f"{link.context.span_id:016x}" for link in span.links] == ["cd" * 8]
    assert span.resource.attributes["service.name"] == "toys"
    assert span.resource.attributes["deployment.environment.name"] == "staging"


def test_who_records_nothing_loads_nothing_of_it() -> None:
    """But OpenTelemetry's interface, which FastAPI loads."""
    code = (
        "import sys, crm_kit.app, crm_kit.cli, crm_kit.serving, crm_kit.runtime, crm_kit.observability.recording as r\n"
        "class Off: otel_sdk_disabled, otel_traces_exporter, otel_traces_sampler = False, 'none', 'always_on'\n"
        "with r.recording('toys', Off, is_edge=True): pass\n"
        "loaded = ('opentelemetry.sdk', 'opentelemetry.exporter', 'opentelemetry.proto', 'google.protobuf', 'requests')\n"
        "print([name for name in sys.modules if name.startswith(loaded)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
