"""The journal's statements."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from crm_contracts.envelope import Event
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql

from gateway.features.webhook_journal.rules import body_of, cloud_event, customer_of

_APPEND = Sql(
    """
    with head as (
        update webhook_journal set last = last + cast(:n as bigint)
        returning tenant_id, last - cast(:n as bigint) as before)
    insert into webhook_event (tenant_id, position, event_id, type, subject, time, stored_at, actor_id, contact_id,
                               account_id, correlation_id, hops, body)
    select head.tenant_id, head.before + given.n, given.event_id, given.type, given.subject, given.time, now(),
           given.actor_id, given.contact_id, given.account_id, given.correlation_id, given.hops, given.body
      from head cross join unnest(
           cast(:event_id as text[]), cast(:type as text[]), cast(:subject as text[]), cast(:time as timestamptz[]),
           cast(:actor_id as text[]), cast(:contact_id as text[]), cast(:account_id as text[]),
           cast(:correlation_id as text[]), cast(:hops as integer[]), cast(:body as bytea[]))
           with ordinality as given(event_id, type, subject, time, actor_id, contact_id, account_id, correlation_id, hops,
                                    body, n)
    on conflict (tenant_id, event_id) do nothing
    returning position
    """
)
_IS_KEPT = Sql("select exists (select from webhook_journal) as kept")
_FORGET_SUBJECTS = Sql(
    """
    with told as (delete from webhook_delivery where subject = any(cast(:ids as text[])))
    delete from webhook_event where subject = any(cast(:ids as text[])) or contact_id = any(cast(:ids as text[]))
    """
)
_TELLS = Sql(
    "select exists (select from webhook_event where subject = any(cast(:ids as text[])) and not (body like :erased)) as tells"
)
_HEAD = Sql("select last, forgotten from webhook_journal")
_BEGIN = Sql(
    "insert into webhook_journal (tenant_id, last, forgotten) values (:tenant_id, 0, 0) on conflict do nothing"
)
_AFTER = Sql(
    """
    select position, event_id, type, subject, time, actor_id, contact_id, account_id, correlation_id, hops, body
      from webhook_event
     where tenant_id = :tenant_id and position > :after and position <= :until order by position limit :limit
    """
)
_BY_ID = Sql(
    """
    select position, event_id, type, subject, time, actor_id, contact_id, account_id, correlation_id, hops, body
      from webhook_event
     where tenant_id = :tenant_id and event_id = :event_id
    """
)
# What happened at a time was stored no earlier, but for clocks that differ.
_BEFORE_TIME = Sql(
    """
    select position from webhook_event where tenant_id = :tenant_id and stored_at < cast(:time as timestamptz) - interval '1 minute'
     order by stored_at desc, position desc limit 1
    """
)
_FORGET_OLD = Sql(
    """
    with old as (
        select tenant_id, position from webhook_event where stored_at < now() - cast(:kept as interval)
         order by stored_at limit 2000),
    gone as (delete from webhook_event e using old where e.tenant_id = old.tenant_id and e.position = old.position
             returning e.tenant_id, e.position),
    told as (update webhook_journal j set forgotten = greatest(j.forgotten, g.position)
               from (select tenant_id, max(position) as position from gone group by tenant_id) g
              where j.tenant_id = g.tenant_id)
    select count(*) as gone from gone
    """
)
NEWEST: Final = 2**62


@dataclass(frozen=True, slots=True)
class Head:
    """`last`: the newest position; `forgotten`: the newest that is kept no more."""

    last: int
    forgotten: int


@dataclass(frozen=True, slots=True)
class Entry:
    """An event of the journal."""

    position: int
    event_id: str
    type: str
    subject: str
    time: datetime
    actor_id: str | None
    contact_id: str | None
    account_id: str | None
    correlation_id: str | None
    hops: int
    body: bytes


async def append(session: WriteSession, events: Sequence[Event]) -> None:
    """At the end, in their order, where the tenant has a journal. An event that is there already stays where it is."""
    if not (await session.fetch(_IS_KEPT, {}))[0]["kept"]:
        return
    erased = [event.subject for event in events if event.erased]
    if erased:
        await session.fetch(_FORGET_SUBJECTS, {"ids": erased})
    values: dict[str, Any] = {
        "n": len(events),
        "event_id": [event.id for event in events],
        "type": [event.type for event in events],
        "subject": [event.subject for event in events],
        "time": [event.time for event in events],
        "actor_id": [event.actor_id for event in events],
        "contact_id": [customer_of(event, "contact") for event in events],
        "account_id": [customer_of(event, "account") for event in events],
        "correlation_id": [event.correlation_id for event in events],
        "hops": [event.hops for event in events],
        "body": [body_of(cloud_event(event)) for event in events],
    }
    await session.fetch(_APPEND, values)


async def begin(session: WriteSession) -> None:
    """From now on the tenant's events are kept."""
    await session.fetch(_BEGIN, {"tenant_id": session.tenant_id})


async def head(session: ReadSession) -> Head:
    """Of a tenant without a journal: nothing."""
    found = await session.fetch(_HEAD, {})
    return Head(found[0]["last"], found[0]["forgotten"]) if found else Head(0, 0)


async def after(session: ReadSession, position: int, limit: int, *, until: int = NEWEST) -> list[Entry]:
    """The next events behind a position, up to another."""
    values = {"tenant_id": session.tenant_id, "after": position, "until": until, "limit": limit}
    return [Entry(**row) for row in await session.fetch(_AFTER, values)]


async def find(session: ReadSession, event_id: str) -> Entry | None:
    found = await session.fetch(_BY_ID, {"tenant_id": session.tenant_id, "event_id": event_id})
    return Entry(**found[0]) if found else None


async def position_before(session: ReadSession, time: datetime) -> int:
    """Behind which all events are that happened at this time or later, and perhaps some from before."""
    found = await session.fetch(_BEFORE_TIME, {"tenant_id": session.tenant_id, "time": time})
    return found[0]["position"] if found else 0


async def forget_old(session: WriteSession, days: int) -> int:
    """The next of those that have been kept for so long, of all tenants: for the system's role. How many they were."""
    gone: int = (await session.fetch(_FORGET_OLD, {"kept": timedelta(days=days)}))[0]["gone"]
    return gone


async def tells_of(session: ReadSession, ids: Sequence[str]) -> bool:
    """Whether something of these persons is in the journal besides that they are erased."""
    found = await session.fetch(_TELLS, {"ids": list(ids), "erased": rb'%"erased":true}}'})
    return bool(found[0]["tells"])
