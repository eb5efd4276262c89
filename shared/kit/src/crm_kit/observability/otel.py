"""OpenTelemetry's SDK as the recorder of spans: batches, in a thread of its own, to a collector or to standard output.

Loaded by processes that record alone. What is not said here the SDK reads from its own variables: OTEL_EXPORTER_OTLP_*,
OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME, OTEL_BSP_*.
"""

import os
from collections.abc import Sequence
from threading import Thread
from typing import Final, Literal

from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_NAMESPACE, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from crm_kit.context import Trace
from crm_kit.observability.output import OUTPUT
from crm_kit.observability.tracing import Span

_KINDS: Final = {
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
    "internal": SpanKind.INTERNAL,
}
_FLAGS: Final = TraceFlags(TraceFlags.SAMPLED)
_SCOPE: Final = InstrumentationScope("crm_kit")
_CLOSING_SECONDS: Final = 3.0
_UNSET, _ERROR = Status(StatusCode.UNSET), Status(StatusCode.ERROR)


class OpenTelemetryRecorder:
    """Spans are made as they end: the SDK's own tracer draws ids and keeps a context for each, which ours does already."""

    def __init__(self, service: str, exporter: Literal["otlp", "console"], messaging_system: str) -> None:
        self.messaging_system = messaging_system
        named = {
            SERVICE_NAMESPACE: "relata",
            **({} if os.environ.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: service}),
        }
        self._resource = Resource.create(named)
        self._processor = BatchSpanProcessor(_exporter(exporter))

    def record(self, span: Span) -> None:
        """Put into a bounded queue; what does not fit is dropped."""
        attributes = dict(span.attributes)
        if span.fault is not None:
            attributes["error.type"] = span.fault
        self._processor.on_end(
            ReadableSpan(
                name=span.name,
                context=_context(span.trace.trace_id, span.trace.span_id),
                parent=_parent(span.trace),
                resource=self._resource,
                attributes=attributes,
                links=_links(span.links),
                kind=_KINDS[span.kind],
                status=_UNSET if span.fault is None else _ERROR,
                start_time=span.began,
                end_time=max(span.began, span.ended),
                instrumentation_scope=_SCOPE,
            )
        )

    def close(self) -> None:
        """Sends what is left, for some seconds: a collector that hangs keeps no process from ending."""
        closing = Thread(target=self._processor.shutdown, daemon=True)
        closing.start()
        closing.join(_CLOSING_SECONDS)


def _exporter(name: Literal["otlp", "console"]) -> SpanExporter:
    if name == "console":
        return ConsoleSpanExporter(
            out=OUTPUT,  # type: ignore[arg-type]  # of a stream it writes and flushes
            formatter=lambda span: f"{span.to_json(indent=None)}\n",
        )
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


def _context(trace_id: str, span_id: str, *, is_remote: bool = False) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote, _FLAGS)


def _parent(trace: Trace) -> SpanContext | None:
    if trace.parent_id is None:
        return None
    return _context(trace.trace_id, trace.parent_id, is_remote=True)


def _links(traces: Sequence[Trace]) -> list[Link]:
    return [Link(_context(each.trace_id, each.span_id)) for each in traces]
