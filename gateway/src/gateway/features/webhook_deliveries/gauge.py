"""How far behind webhooks are, by what holds them up. Never by endpoint: those are as many as tenants want."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from crm_kit.db.session import ReadSession
from crm_kit.observability.measuring import MOST_COUNTED
from prometheus_client import Counter, Gauge, Histogram
from sqlalchemy import text

WAITING = Gauge(
    "crm_webhook_deliveries_waiting",
    "Deliveries that failed and are tried again (retried), or wait behind one of their record (held), up to 100,000",
    ["state"],
)
OVERDUE = Gauge("crm_webhook_overdue_seconds", "How long the first attempt that is due at an endpoint has been")
ENDPOINTS = Gauge("crm_webhook_endpoints", "Endpoints that take what they are sent, fail, or are off", ["state"])
BEHIND = Gauge("crm_webhook_journal_behind", "Events that endpoints which do not fail have not been offered, in all")
BEHIND_OLDEST = Gauge("crm_webhook_journal_oldest_seconds", "How long the oldest of them has been in the journal")
ATTEMPTS = Counter("crm_webhook_attempts_total", "Requests to endpoints", ["outcome"])
ATTEMPT_SECONDS = Histogram(
    "crm_webhook_attempt_seconds",
    "Time until an endpoint has answered",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
for _outcome in ("taken", "refused", "unanswered"):
    ATTEMPTS.labels(_outcome)

_WAITING: Final = text(
    """
    select held, count(*) as deliveries from
           (select held from webhook_delivery where status = 'waiting' limit :most) as these
     group by held
    """
)
_ENDPOINTS: Final = text(
    """
    select case when not is_on then 'off' when failing_since is not null then 'failing' else 'on' end as state,
           count(*) as endpoints,
           extract(epoch from clock_timestamp() - min(greatest(due_at, rest_until)) filter (where is_on and due_at is not null)) as overdue
      from webhook_progress group by 1
    """
)
_BEHIND: Final = text(
    """
    select sum(j.last - p.position) as events, extract(epoch from clock_timestamp() - min(next.stored_at)) as oldest
      from webhook_progress p
      join webhook_journal j on j.tenant_id = p.tenant_id and j.last > p.position
      left join lateral (select e.stored_at from webhook_event e
                          where e.tenant_id = p.tenant_id and e.position > p.position
                          order by e.position limit 1) as next on true
     where p.is_on and p.failing_since is null and p.snapshot is null
    """
)


@dataclass(frozen=True, slots=True)
class Backlog:
    """`retried`, `held`: deliveries that wait. `endpoints`: by state. Times are in seconds; `events`: that were not offered yet."""

    retried: int
    held: int
    endpoints: Mapping[str, int]
    overdue: float
    events: int
    oldest: float


async def backlog_of(session: ReadSession) -> Backlog:
    """Of all tenants together, in the system role's session."""
    waiting = {row.held: row.deliveries for row in await session.execute(_WAITING, {"most": MOST_COUNTED})}
    rows = {row.state: row for row in await session.execute(_ENDPOINTS)}
    behind = (await session.execute(_BEHIND)).one()
    return Backlog(
        retried=waiting.get(False, 0),
        held=waiting.get(True, 0),
        endpoints={state: rows[state].endpoints if state in rows else 0 for state in ("on", "failing", "off")},
        overdue=max([0.0, *(float(row.overdue) for row in rows.values() if row.overdue is not None)]),
        events=int(behind.events or 0),
        oldest=max(0.0, float(behind.oldest or 0)),
    )


async def measure_webhooks(session: ReadSession, _service: str) -> None:
    backlog = await backlog_of(session)
    WAITING.labels("retried").set(backlog.retried)
    WAITING.labels("held").set(backlog.held)
    for state, endpoints in backlog.endpoints.items():
        ENDPOINTS.labels(state).set(endpoints)
    OVERDUE.set(backlog.overdue)
    BEHIND.set(backlog.events)
    BEHIND_OLDEST.set(backlog.oldest)
