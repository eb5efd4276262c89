"""A collector of spans, as OpenTelemetry's: OTLP over HTTP on a loopback port, kept in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SentSpan

from crm_testkit.stand_in import Asked, Reply, StandIn, running_stand_in

_KINDS = {
    SentSpan.SPAN_KIND_SERVER: "server",
    SentSpan.SPAN_KIND_CLIENT: "client",
    SentSpan.SPAN_KIND_PRODUCER: "producer",
    SentSpan.SPAN_KIND_CONSUMER: "consumer",
    SentSpan.SPAN_KIND_INTERNAL: "internal",
}


@dataclass(frozen=True)
class SeenSpan:
    """One span as it arrived. `links`: trace and span id of each."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    links: tuple[tuple[str, str], ...]
    began: int
    ended: int
    failed: bool


class Collector:
    """`environment`: what a process needs to send its spans here."""

    def __init__(self, stand_in: StandIn) -> None:
        self._stand_in = stand_in
        self.spans: list[SeenSpan] = []
        self.raw: list[bytes] = []
        stand_in.reset(self._take)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_ENDPOINT": self._stand_in.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }

    def _take(self, asked: Asked) -> Reply:
        assert (asked.method, asked.target) == ("POST", "/v1/traces")
        self.raw.append(asked.body)
        for resource in ExportTraceServiceRequest.FromString(asked.body).resource_spans:
            service = _attributes(resource.resource.attributes)["service.name"]
            self.spans += [_seen(service, span) for scope in resource.scope_spans for span in scope.spans]
        return Reply(200, {"content-type": "application/x-protobuf"}, b"")

    def of_trace(self, trace_id: str) -> list[SeenSpan]:
        return [span for span in self.spans if span.trace_id == trace_id]

    async def until(self, trace_id: str, check: Callable[[Sequence[SeenSpan]], bool], seconds: float = 30) -> "Trace":
        """A trace once that holds for its spans. Raises TimeoutError with what there is."""
        try:
            async with asyncio.timeout(seconds):
                while not check(self.of_trace(trace_id)):
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise TimeoutError([(span.service, span.kind, span.name) for span in self.of_trace(trace_id)]) from error
        return Trace(self.of_trace(trace_id))


class Trace:
    """The spans of one trace."""

    def __init__(self, spans: Sequence[SeenSpan]) -> None:
        self.spans = spans
        self._by_id = {span.span_id: span for span in spans}

    def only(self, service: str, name: str, **attributes: str) -> SeenSpan:
        """The one span of that name; of several, the one with these attributes (dots written as double underscores)."""
        wanted = {key.replace("__", "."): value for key, value in attributes.items()}
        found = [
            span
            for span in self.spans
            if (span.service, span.name) == (service, name) and wanted.items() <= span.attributes.items()
        ]
        assert len(found) == 1, (service, name, [(span.service, span.name, span.attributes) for span in self.spans])
        return found[0]

    def parent(self, span: SeenSpan) -> SeenSpan | None:
        return self._by_id.get(span.parent_id)

    def way(self, span: SeenSpan) -> list[str]:
        """Its name and those above it, the outermost first, each with its service."""
        above = self.parent(span)
        return [*(self.way(above) if above else []), f"{span.service}: {span.name}"]


def _seen(service: str, span: SentSpan) -> SeenSpan:
    return SeenSpan(
        service,
        span.name,
        _KINDS[span.kind],
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        _attributes(span.attributes),
        tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        span.status.code == 2,
    )


def _attributes(given: Sequence[KeyValue]) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value") or "string_value") for each in given}


@asynccontextmanager
async def running_collector() -> AsyncIterator[Collector]:
    """On a free loopback port."""
    async with running_stand_in() as stand_in:
        yield Collector(stand_in)
