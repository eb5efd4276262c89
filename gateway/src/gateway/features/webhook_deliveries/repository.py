"""The statements about deliveries: each takes a whole batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql

WORK: Final = """
    select p.tenant_id, p.endpoint_id
      from webhook_progress p join webhook_journal j on j.tenant_id = p.tenant_id
     where p.is_on and (p.rest_until is null or p.rest_until <= now())
       and not exists (select from tenant_state s where s.tenant_id = p.tenant_id)
       and (p.position < j.last or p.snapshot is not null or p.due_at <= now() or p.replays)
"""
"""Endpoints for which there is something to do, of all tenants: for the system's role."""

_DUE = Sql(
    """
    select d.id, d.event_id, d.type, d.subject, d.position, d.attempts, d.created_at, d.replay_id,
           coalesce(d.body, e.body) as body, d.body is not null as is_own, e.actor_id,
           e.correlation_id, coalesce(e.hops, 0) as hops
      from webhook_delivery d
      left join webhook_event e on e.tenant_id = d.tenant_id and e.position = d.position
     where d.tenant_id = :tenant_id and d.endpoint_id = :endpoint_id and d.status = 'waiting' and not d.held
       and d.due_at <= now() and not (d.id = any(cast(:busy as text[])))
     order by d.due_at, d.id limit :limit
    """
)
_HELD = Sql(
    """
    select distinct subject from webhook_delivery
     where tenant_id = :tenant_id and endpoint_id = :endpoint_id and status = 'waiting'
    """
)
_KNOWN = Sql(
    """
    select position from webhook_delivery
     where tenant_id = :tenant_id and endpoint_id = :endpoint_id and position > :after and replay_id is null
    """
)
_COUNT_WAITING = Sql(
    """
    select count(*) as waiting from (
        select from webhook_delivery
         where tenant_id = :tenant_id and endpoint_id = :endpoint_id and status = 'waiting' limit :limit) as found
    """
)
_STORE = Sql(
    """
    insert into webhook_delivery as d
           (tenant_id, id, version, endpoint_id, event_id, type, subject, position, body, replay_id, status, held, attempts, due_at,
            created_at, updated_at, finished_at, response_status, error, log)
    select :tenant_id, id, 1, :endpoint_id, event_id, type, subject, position, body, replay_id, status, held, attempts, due_at,
           created_at, now(), finished_at, response_status, error, cast(log as jsonb)
      from unnest(cast(:id as text[]), cast(:event_id as text[]), cast(:type as text[]), cast(:subject as text[]),
                  cast(:position as bigint[]), cast(:body as bytea[]), cast(:replay_id as text[]), cast(:status as text[]),
                  cast(:held as boolean[]), cast(:attempts as integer[]), cast(:due_at as timestamptz[]),
                  cast(:created_at as timestamptz[]), cast(:finished_at as timestamptz[]),
                  cast(:response_status as integer[]), cast(:error as text[]), cast(:log as text[]))
        as given(id, event_id, type, subject, position, body, replay_id, status, held, attempts, due_at, created_at,
                 finished_at, response_status, error, log)
    on conflict (tenant_id, id) do update set
        status = excluded.status, held = excluded.held, attempts = excluded.attempts, due_at = excluded.due_at,
        finished_at = excluded.finished_at, response_status = excluded.response_status, error = excluded.error,
        log = case when jsonb_array_length(d.log) < 20 then d.log else d.log - 0 end || excluded.log,
        body = case when excluded.status = 'waiting' then d.body end, version = d.version + 1, updated_at = now()
     where d.status = 'waiting' or excluded.status = 'delivered'
    """
)
_RELEASE = Sql(
    """
    update webhook_delivery d set held = false, due_at = now(), version = d.version + 1, updated_at = now()
      from (select distinct on (subject) id, held from webhook_delivery
             where tenant_id = :tenant_id and endpoint_id = :endpoint_id and status = 'waiting'
               and subject = any(cast(:subjects as text[]))
             order by subject, position nulls first, id) as first
     where d.tenant_id = :tenant_id and d.id = first.id and first.held
    """
)
_AT_ONCE = Sql(
    """
    update webhook_delivery set due_at = now(), version = version + 1, updated_at = now()
     where tenant_id = :tenant_id and endpoint_id = :endpoint_id and status = 'waiting' and not held and due_at > now()
    """
)
_ADVANCE = Sql(
    """
    update webhook_progress p set
        position = cast(:position as bigint), snapshot = cast(:snapshot as text),
        failures = :failures, rest_until = cast(:rest_until as timestamptz),
        failing_since = case when cast(:failures as integer) = 0 then null
                             else coalesce(failing_since, cast(:failed_at as timestamptz)) end,
        last_success_at = coalesce(cast(:succeeded_at as timestamptz), last_success_at),
        due_at = (select min(due_at) from webhook_delivery d
                   where d.tenant_id = :tenant_id and d.endpoint_id = :endpoint_id and d.status = 'waiting' and not d.held)
     where endpoint_id = :endpoint_id and changed_at = :seen_at
    returning failing_since
    """
)
_PROGRESS = Sql(
    """
    select position, snapshot, is_on, failures, failing_since, rest_until, last_success_at, changed_at
      from webhook_progress where endpoint_id = :endpoint_id
    """
)
_FORGET = Sql(
    """
    with old as (select tenant_id, id from webhook_delivery
                  where status <> 'waiting' and created_at < now() - cast(:kept as interval) order by created_at limit 2000)
    delete from webhook_delivery d using old where d.tenant_id = old.tenant_id and d.id = old.id
    """
)
MOST_WAITING: Final = 1000


@dataclass(slots=True)
class Delivery:
    """As it is to be stored after an attempt, or put behind another. `entry`: the attempt, or none. `is_first`: it was not before."""

    id: str
    event_id: str
    type: str
    subject: str
    position: int | None
    body: bytes | None
    replay_id: str | None
    status: str
    held: bool
    attempts: int
    due_at: datetime | None
    created_at: datetime
    finished_at: datetime | None = None
    response_status: int | None = None
    error: str | None = None
    entry: Mapping[str, Any] | None = None
    is_first: bool = True


_COLUMNS: Final = (
    "id", "event_id", "type", "subject", "position", "body", "replay_id", "status", "held", "attempts", "due_at",
    "created_at", "finished_at", "response_status", "error",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Standing:
    """How far an endpoint is, as of `changed_at`: what somebody changes after that is not overwritten."""

    position: int
    snapshot: str | None
    is_on: bool
    failures: int
    failing_since: datetime | None
    rest_until: datetime | None
    last_success_at: datetime | None
    changed_at: datetime


async def standing(session: ReadSession, endpoint_id: str) -> Standing | None:
    found = await session.fetch(_PROGRESS, {"endpoint_id": endpoint_id})
    return Standing(**found[0]) if found else None


def _of(session: ReadSession, endpoint_id: str, **values: Any) -> dict[str, Any]:
    return {"tenant_id": session.tenant_id, "endpoint_id": endpoint_id, **values}


async def due(session: ReadSession, endpoint_id: str, busy: Sequence[str], limit: int) -> Sequence[Any]:
    """Deliveries whose next attempt is due, the longest due first, without those that are being tried."""
    return await session.fetch(_DUE, _of(session, endpoint_id, busy=list(busy), limit=limit))


async def waiting_subjects(session: ReadSession, endpoint_id: str) -> set[str]:
    return {row["subject"] for row in await session.fetch(_HELD, _of(session, endpoint_id))}


async def positions_behind(session: ReadSession, endpoint_id: str, position: int) -> set[int]:
    """Of deliveries that were made of what lies behind a position: it had not moved on when its process ended."""
    return {row["position"] for row in await session.fetch(_KNOWN, _of(session, endpoint_id, after=position))}


async def count_waiting(session: ReadSession, endpoint_id: str) -> int:
    """Up to MOST_WAITING."""
    return int((await session.fetch(_COUNT_WAITING, _of(session, endpoint_id, limit=MOST_WAITING)))[0]["waiting"])


async def store(session: WriteSession, endpoint_id: str, deliveries: Sequence[Delivery]) -> None:
    if not deliveries:
        return
    values: dict[str, Any] = {name: [getattr(one, name) for one in deliveries] for name in _COLUMNS}
    values["log"] = [orjson.dumps([one.entry] if one.entry else []).decode() for one in deliveries]
    await session.fetch(_STORE, _of(session, endpoint_id, **values))


async def release(session: WriteSession, endpoint_id: str, subjects: Sequence[str]) -> None:
    """The first of those that wait behind one of their subject which has arrived, or was given up, is due."""
    if subjects:
        await session.fetch(_RELEASE, _of(session, endpoint_id, subjects=list(subjects)))


async def try_all_at_once(session: WriteSession, endpoint_id: str) -> None:
    """What waits for its next attempt is due: the endpoint answers again."""
    await session.fetch(_AT_ONCE, _of(session, endpoint_id))


async def advance(
    session: WriteSession,
    endpoint_id: str,
    seen_at: datetime,
    position: int,
    snapshot: str | None,
    *,
    failures: int,
    failed_at: datetime | None,
    succeeded_at: datetime | None,
    rest_until: datetime | None,
) -> Any | None:
    """Writes down how far it has come; None where somebody has set it otherwise meanwhile, or deleted it."""
    values = _of(
        session,
        endpoint_id,
        seen_at=seen_at,
        position=position,
        snapshot=snapshot,
        failures=failures,
        failed_at=failed_at,
        succeeded_at=succeeded_at,
        rest_until=rest_until,
    )
    found = await session.fetch(_ADVANCE, values)
    return found[0] if found else None


_AGAIN = Sql(
    """
    with which as (
        select id, status, replay_id from webhook_delivery
         where tenant_id = :tenant_id and endpoint_id = :endpoint_id and id = any(cast(:ids as text[]))
           and (position is not null or body is not null) order by id for update),
    uncounted as (
        update webhook_replay r set delivered = r.delivered - w.delivered, failed = r.failed - w.failed
          from (select replay_id, count(*) filter (where status = 'delivered') as delivered,
                       count(*) filter (where status = 'failed') as failed
                  from which where replay_id is not null group by replay_id) w
         where r.tenant_id = :tenant_id and r.id = w.replay_id)
    update webhook_delivery d set status = 'waiting', held = false, due_at = now(), finished_at = null,
           version = d.version + 1, updated_at = now()
      from which where d.tenant_id = :tenant_id and d.id = which.id
    returning d.id
    """
)


async def try_again(session: WriteSession, endpoint_id: str, ids: Sequence[str]) -> list[str]:
    """These deliveries are due, whatever became of them; those of which there are."""
    found = await session.fetch(_AGAIN, _of(session, endpoint_id, ids=list(ids)))
    return [row["id"] for row in found]


async def forget_old(session: WriteSession, days: int) -> None:
    """Of all tenants: for the system's role."""
    await session.fetch(_FORGET, {"kept": timedelta(days=days)})
