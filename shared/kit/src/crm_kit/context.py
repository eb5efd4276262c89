"""What accompanies one request or one batch of events: who, for which tenant, under which trace."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_ODD = frozenset("13579bdf")
_RECORDED, _NOT_RECORDED = "01", "00"


class Trace(NamedTuple):
    """W3C trace context, level 1: the trace, our span in it, the flags."""

    trace_id: str
    span_id: str
    flags: str = _NOT_RECORDED
    parent_id: str | None = None

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"

    @property
    def is_sampled(self) -> bool:
        """Whether its spans are recorded, by whoever records any (§3.2.2.5.1)."""
        return self.flags[1] in _ODD

    def child(self) -> "Trace":
        """A new span under this one."""
        return Trace(self.trace_id, os.urandom(8).hex(), self.flags, parent_id=self.span_id)


class Sampling:
    """Which traces are recorded. By itself it begins none, and goes on with what a caller says."""

    def begins(self) -> bool:
        """Whether a trace that begins here is recorded."""
        return False

    def goes_on(self, *, sampled: bool) -> bool:
        """Whether one is that the caller has recorded, or has not."""
        return sampled


_sampling = Sampling()


def use_sampling(sampling: Sampling) -> None:
    """From now on it decides for this process."""
    global _sampling  # noqa: PLW0603  # one a process, as its exporter is
    _sampling = sampling


def start_trace(traceparent: str | None = None, *, is_trusted: bool = True) -> Trace:
    """A new span under `traceparent`, or a new trace where that is missing or malformed (§4.3).

    `is_trusted`: whether the caller may say that it is recorded; a stranger could make us record everything.
    """
    drawn = os.urandom(24).hex()
    span_id = drawn[:16]
    match = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    if match and match.group(1) != "0" * 32 and match.group(2) != "0" * 16:
        flags = match.group(3)
        is_sampled = _sampling.goes_on(sampled=flags[1] in _ODD) if is_trusted else _sampling.begins()
        return Trace(match.group(1), span_id, _RECORDED if is_sampled else _NOT_RECORDED, parent_id=match.group(2))
    return Trace(drawn[16:], span_id, _RECORDED if _sampling.begins() else _NOT_RECORDED)


def unrecorded_trace() -> Trace:
    """For work of our own of which no span is told: what follows from it is not told either."""
    drawn = os.urandom(24).hex()
    return Trace(drawn[16:], drawn[:16], _NOT_RECORDED)


class Chain(NamedTuple):
    """What a change follows from. `correlation_id` is the same for all that follows from one beginning, `causation_id` names
    the event that this follows from, `hops` counts how often the chain has left Relata and come back.
    """

    correlation_id: str | None = None
    causation_id: str | None = None
    hops: int = 0


BEGINNING = Chain()


class Context(NamedTuple):
    """`actor_id` is the subject that acts: a key, a user, or another service's event.

    `via`: by which way it acts, where the subject does not say so. `address`, `user_agent`: where the request came from,
    as far as somebody vouches for it.
    """

    trace: Trace
    request_id: str
    tenant_id: str | None = None
    actor_id: str | None = None
    via: str | None = None
    address: str | None = None
    user_agent: str | None = None
    chain: Chain = BEGINNING


_current: ContextVar[Context | None] = ContextVar("crm_context", default=None)


def current() -> Context | None:
    return _current.get()


@contextmanager
def use(context: Context) -> Iterator[Context]:
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)
