"""From a record to its effect: read it, and hand it to its consumer's handler under its own trace."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import asyncpg
from crm_contracts.envelope import Event, MalformedEvent
from crm_contracts.registry import Topic
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from crm_kit import context
from crm_kit.bus.port import EventLogError
from crm_kit.db.session import WriteSession
from crm_kit.inbox.projection import Projection
from crm_kit.inbox.tables import Kind
from crm_kit.observability import tracing

_MAX_REASON = 2000

Handler = Callable[[WriteSession, Sequence[Event]], Awaitable[None]]
"""Applies events of one tenant, in log order. It must ignore an event that is not newer than what it has."""

Order = Literal["wait", "pass"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """A projection: which topics it follows, and how it applies their events. `name` is its group and never changes.

    `order`: what becomes of later events of a key that has a parked one. `wait`: they are parked behind it, for
    handlers that need every event. `pass`: they are applied, for handlers that keep an entity's newest state and
    its version even when it is deleted, so that the older event changes nothing when it is replayed.
    `projection`: the tables that it makes; None where it acts on events, which must not be done again.
    `handle_backlog`: applies what has piled up in place of `handle`. It may leave for later whatever its readers can
    do without, as long as it writes down, in the same transaction, what that is.
    `backlog`: how many events of a batch are one: they came faster than they could be applied one by one.
    `gather_seconds`: from the beginning of a batch to that of the next; what comes meanwhile shares its cost. A lone
    event waits for nothing.
    `passes_on`: it hands events on as they are, so that it takes those of an entity or version that this release does not know.
    """

    name: str
    topics: tuple[Topic, ...]
    handle: Handler
    handle_backlog: Handler | None = None
    order: Order = "wait"
    projection: Projection | None = None
    backlog: int = 200
    gather_seconds: float = 0.01
    passes_on: bool = False

    def topic(self, name: str) -> Topic | None:
        """None where it no longer follows that topic."""
        return next((topic for topic in self.topics if topic.name == name), None)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a record holds: an event, or the reason why its consumer cannot take it."""

    event: Event | None
    kind: Kind = "failed"
    error: str = ""


_MANY: Final = 50


def read_event(consumer: Consumer, topic: Topic | None, headers: Mapping[str, str], value: bytes | None) -> Reading:
    """A record of this topic, as its consumer knows it.

    An unknown action is applied like any other, since an event carries the whole state. An unknown entity or major
    version is not: who applied it would have to guess what its members mean.
    """
    try:
        event = Event.parse(headers, value)
    except MalformedEvent as error:
        return Reading(None, "malformed", f"MalformedEvent: {error}"[:_MAX_REASON])
    if topic is not None and (consumer.passes_on or topic.understands(event.type)):
        return Reading(event)
    return Reading(None, "unsupported", f"This release does not know {event.type!r}."[:_MAX_REASON])


def newest(events: Iterable[Event]) -> list[Event]:
    """The event with the greatest version of each entity; of equals the first, since a tombstone says no more."""
    found: dict[str, Event] = {}
    for event in events:
        known = found.get(event.subject)
        if known is None or event.sequence > known.sequence:
            found[event.subject] = event
    return [found[subject] for subject in sorted(found)]


async def apply_events(
    consumer: Consumer, service: str, session: WriteSession, events: Sequence[Event], *, backlog: bool = False
) -> None:
    """Applies events of the session's tenant within its transaction. Raises what the handler raises."""
    handle = consumer.handle_backlog if backlog and consumer.handle_backlog else consumer.handle
    farthest = max(events, key=lambda event: event.hops)  # of several that are applied together, for whatever follows
    messages = [(event.topic, event.traceparent) for event in events]
    with (
        tracing.processing(consumer.name, messages, session.tenant_id) as span,
        context.use(
            context.Context(
                span.trace,
                f"event-{events[-1].id}",
                session.tenant_id,
                f"service/{service}",
                via="event",
                chain=context.Chain(farthest.correlation_id, farthest.id, farthest.hops),
            )
        ),
    ):
        if len(events) > _MANY:
            await session.plan_anew()
        await handle(session, events)
        await session.flush()


async def try_event(consumer: Consumer, service: str, session: WriteSession, event: Event) -> str:
    """Applies one event behind a savepoint: why it failed, or nothing. Raises what is transient."""
    try:
        async with session.savepoint():
            await apply_events(consumer, service, session, [event])
    except Exception as error:
        if is_transient(error):
            raise
        return f"{type(error).__name__}: {error}"[:_MAX_REASON]
    return ""


def is_transient(error: BaseException) -> bool:
    """Whether the same batch may succeed later without anybody's help."""
    if isinstance(error, DBAPIError):
        state = str(getattr(error.orig, "sqlstate", None) or "")
        return error.connection_invalidated or state[:2] in ("08", "40", "53", "55", "57")
    return isinstance(error, PoolTimeout | OSError | TimeoutError | EventLogError | asyncpg.InterfaceError)
