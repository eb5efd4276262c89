"""How much of what came in is still to be worked on, and how it ended: in all, never by source."""

from dataclasses import dataclass
from typing import Final

from crm_kit.db.session import ReadSession
from crm_kit.observability.measuring import MOST_COUNTED
from prometheus_client import Counter, Gauge
from sqlalchemy import text

from gateway.features.inbound_deliveries.repository import EACH_TENANT

WAITING = Gauge(
    "crm_inbound_deliveries_waiting",
    "Deliveries that are to be worked on now (due), or later or are at this moment (later), up to 100,000",
    ["state"],
)
OVERDUE = Gauge("crm_inbound_overdue_seconds", "How long the first of them has been due")
ENDED = Counter("crm_inbound_deliveries_total", "Deliveries that have come to an end", ["status"])
for _status in ("done", "ignored", "parked"):
    ENDED.labels(_status)

_WAITING: Final = text(
    """
    select due_at <= now() as is_due, count(*) as deliveries, extract(epoch from clock_timestamp() - min(due_at)) as overdue
      from (select due_at from inbound_delivery where due_at is not null limit :most) as these
     group by 1
    """
)


_PARKED: Final = text(
    f"""
    with {EACH_TENANT}
    select count(*) as deliveries from
           (select from found cross join lateral
                   (select from inbound_delivery d
                     where d.tenant_id = found.tenant_id and d.status = 'parked' limit :most) as parked limit :most) as these
    """  # noqa: S608  # of our own
)


@dataclass(frozen=True, slots=True)
class Backlog:
    """Deliveries that are to be worked on now, or later; `overdue`: for how many seconds the first of them has been due."""

    due: int
    later: int
    overdue: float


async def backlog_of(session: ReadSession) -> Backlog:
    """Of all tenants together, in the system role's session."""
    rows = {row.is_due: row for row in await session.execute(_WAITING, {"most": MOST_COUNTED})}
    due, later = (int(rows[is_due].deliveries) if is_due in rows else 0 for is_due in (True, False))
    return Backlog(due, later, max(0.0, float(rows[True].overdue)) if True in rows else 0.0)


async def parked(session: ReadSession) -> int:
    """How many deliveries could not be taken, of all tenants together, in the system role's session."""
    found: int = await session.scalar(_PARKED, {"most": MOST_COUNTED})
    return found


async def measure_inbound(session: ReadSession, _service: str) -> None:
    backlog = await backlog_of(session)
    WAITING.labels("due").set(backlog.due)
    WAITING.labels("later").set(backlog.later)
    OVERDUE.set(backlog.overdue)
