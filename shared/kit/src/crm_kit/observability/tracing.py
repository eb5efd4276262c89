"""Spans of what this process does, told when they end. Off by default: then nothing is told, and no library for it is loaded.

A trace's place is `crm_kit.context.Trace`, whether spans are told or not; here is what is told of it. Names and attributes are
those of OpenTelemetry's semantic conventions (HTTP, and messaging as of 1.44). Attributes are of bounded size and hold nobody's
data: no path, no query, no address, no key of a message.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from crm_kit import context
from crm_kit.context import Trace

Kind = Literal["server", "client", "producer", "consumer", "internal"]
Attributes = Mapping[str, str | int]

MAX_LINKS: Final = 128
"""OpenTelemetry's own limit."""


@dataclass(frozen=True, slots=True)
class Span:
    """What was done from `began` to `ended`, in nanoseconds since 1970. `fault`: what kind of error it ended by.

    `links`: the places of other traces that it was done for too.
    """

    trace: Trace
    name: str
    kind: Kind
    began: int
    ended: int
    attributes: Attributes
    fault: str | None = None
    links: Sequence[Trace] = ()


class Recorder(Protocol):
    """Takes spans and sends them somewhere, later."""

    @property
    def messaging_system(self) -> str: ...
    def record(self, span: Span) -> None: ...


_recorder: Recorder | None = None
_is_edge = False


def use_recorder(recorder: Recorder | None, *, is_edge: bool = False) -> None:
    """From now on it is told of this process's spans; None: nobody is. `is_edge`: strangers call it."""
    global _recorder, _is_edge  # one a process, as its exporter is
    _recorder, _is_edge = recorder, is_edge


def is_on() -> bool:
    """Whether anybody is told: what costs something to be put together need not be."""
    return _recorder is not None


def of_request(traceparent: str | None) -> Trace:
    """The place of a request that has come in."""
    return context.start_trace(traceparent, is_trusted=not _is_edge)


def below(trace: Trace | None) -> Trace | None:
    """The place of a span under that one; None where nothing is to be told of it."""
    return trace.child() if _recorder is not None and trace is not None and trace.is_sampled else None


def request_answered(
    trace: Trace, *, method: str, route: str, status: int, seconds: float, tenant_id: str | None
) -> None:
    """A server's span. Neither path nor query are told: they may hold what somebody searched for."""
    if _recorder is None or not trace.is_sampled:
        return
    ended = time.time_ns()
    attributes: dict[str, str | int] = {
        "http.request.method": method if method != "OTHER" else "_OTHER",
        "http.route": route,
    }
    if status:
        attributes["http.response.status_code"] = status
    if tenant_id:
        attributes["relata.tenant.id"] = tenant_id
    fault = "no_answer" if not status else str(status) if status >= 500 else None
    name = f"{method if method != 'OTHER' else 'HTTP'} {route}"
    _recorder.record(Span(trace, name, "server", ended - int(seconds * 1e9), ended, attributes, fault))


@dataclass(slots=True)
class Exchange:
    """What came of a request to somebody else. `status`: None where there was no answer."""

    status: int | None = None
    fault: str | None = None


@contextmanager
def request_under_way(
    trace: Trace | None, method: str, attributes: Attributes, links: Sequence[Trace] = ()
) -> Iterator[Exchange]:
    """A client's span, to the end of the block; none where there is no place for it."""
    exchange = Exchange()
    if _recorder is None or trace is None:
        yield exchange
        return
    began = time.time_ns()
    try:
        yield exchange
    except BaseException as error:
        exchange.fault = type(error).__name__
        raise
    finally:
        told: dict[str, str | int] = {"http.request.method": method, **attributes}
        fault = exchange.fault
        if exchange.status is not None:
            told["http.response.status_code"] = exchange.status
            fault = fault or (str(exchange.status) if exchange.status >= 400 else None)
        _recorder.record(Span(trace, method, "client", began, time.time_ns(), told, fault, links))


def message_created(topic: str) -> Trace | None:
    """A producer's span for an event, whose place goes with it; None where nothing is told of what is being done."""
    here = context.current()
    created = below(here.trace) if here is not None else None
    if created is not None:
        now = time.time_ns()
        _tell_of_message(created, "create", "producer", topic, now, now, {})
    return created


def messages_sent(sent: Sequence[tuple[str, str | None, float]]) -> None:
    """A span for each event that the log has now: its topic, the place that goes with it, and since when (a POSIX time) it
    waited in the outbox.
    """
    if _recorder is None:
        return
    ended = time.time_ns()
    for topic, traceparent, since in sent:
        trace = _recorded(traceparent)
        if trace is not None:
            count = {"messaging.batch.message_count": len(sent)}
            _tell_of_message(trace, "send", "client", topic, int(since * 1e9), ended, count)


@dataclass(slots=True)
class Processing:
    """`trace`: under which the messages are dealt with together. `spans`: of each that is told of, its topic and place."""

    trace: Trace
    spans: list[tuple[str, Trace]] = field(default_factory=list)


@contextmanager
def processing(consumer: str, messages: Sequence[tuple[str, str | None]], tenant_id: str) -> Iterator[Processing]:
    """A consumer's span for each message, by topic and the place that came with it, all from here to the end of the block.

    Each is under its own message's, so that the way of a change is one trace, however many are dealt with together. What
    follows is done under the newest one that is told of, which links to the others.
    """
    if _recorder is None:
        yield Processing(context.start_trace(messages[-1][1]))
        return
    spans = [(topic, trace) for topic, parent in messages if (trace := _recorded(parent)) is not None]
    found = Processing(spans[-1][1] if spans else context.start_trace(messages[-1][1]), spans)
    began, fault = time.time_ns(), None
    try:
        yield found
    except BaseException as error:
        fault = type(error).__name__
        raise
    finally:
        attributes: dict[str, str | int] = {
            "messaging.consumer.group.name": consumer,
            "messaging.batch.message_count": len(messages),
            "relata.tenant.id": tenant_id,
        }
        ended = time.time_ns()
        others = _origins([trace for _, trace in spans[:-1]])
        for topic, trace in spans:
            links = others if trace is found.trace else ()
            _tell_of_message(trace, "process", "consumer", topic, began, ended, attributes, fault, links)


@contextmanager
def work(trace: Trace, name: str, tenant_id: str, kind: Kind = "internal") -> Iterator[None]:
    """The span of a piece of work, such as a timer's: all that happens in the block."""
    if _recorder is None or not trace.is_sampled:
        yield
        return
    began, fault = time.time_ns(), None
    try:
        yield
    except BaseException as error:
        fault = type(error).__name__
        raise
    finally:
        attributes = {"relata.tenant.id": tenant_id}
        _recorder.record(Span(trace, name, kind, began, time.time_ns(), attributes, fault))


def below_messages(parents: Sequence[str | None]) -> tuple[Trace | None, Sequence[Trace]]:
    """The place of a span for what is done because of some messages: under the newest that is told of, linked to the others."""
    if _recorder is None:
        return None, []
    places = [trace for parent in parents if (trace := _recorded(parent)) is not None]
    return (places[-1], _origins(places[:-1])) if places else (None, [])


def _origins(places: Sequence[Trace]) -> list[Trace]:
    """What links name: where messages were made."""
    return [Trace(each.trace_id, each.parent_id or each.span_id, each.flags) for each in places[-MAX_LINKS:]]


def _recorded(traceparent: str | None) -> Trace | None:
    trace = context.start_trace(traceparent)
    return trace if trace.is_sampled and trace.parent_id is not None else None


def _tell_of_message(
    trace: Trace,
    operation: str,
    kind: Kind,
    topic: str,
    began: int,
    ended: int,
    attributes: Attributes,
    fault: str | None = None,
    links: Sequence[Trace] = (),
) -> None:
    assert _recorder is not None, "it was asked before"
    told = {
        "messaging.system": _recorder.messaging_system,
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": topic,
        **attributes,
    }
    _recorder.record(Span(trace, f"{operation} {topic}", kind, began, ended, told, fault, links))
