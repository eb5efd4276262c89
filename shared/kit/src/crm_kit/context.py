"""What accompanies one request or one batch of events: who, for which tenant, under which trace."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class Trace:
    """W3C trace context, level 1: the trace, our span in it, the flags."""

    trace_id: str
    span_id: str
    flags: str = "01"
    parent_id: str | None = None

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


def start_trace(traceparent: str | None = None) -> Trace:
    """A new span under `traceparent`, or a new trace where that is missing or malformed (§4.3)."""
    drawn = os.urandom(24).hex()
    span_id = drawn[:16]
    match = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    if match and match.group(1) != "0" * 32 and match.group(2) != "0" * 16:
        return Trace(match.group(1), span_id, match.group(3), parent_id=match.group(2))
    return Trace(drawn[16:], span_id)


@dataclass(frozen=True, slots=True)
class Chain:
    """What a change follows from. `correlation_id` is the same for all that follows from one beginning, `causation_id` names
    the event that this follows from, `hops` counts how often the chain has left Relata and come back.
    """

    correlation_id: str | None = None
    causation_id: str | None = None
    hops: int = 0


BEGINNING = Chain()


@dataclass(frozen=True, slots=True)
class Context:
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
