"""How much of what came in is still to be worked on, and how it ended: in all, never by source."""

from typing import Final

from crm_kit.db.session import ReadSession
from crm_kit.observability.measuring import MOST_COUNTED
from prometheus_client import Counter, Gauge
from sqlalchemy import text

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


async def measure_inbound(session: ReadSession, _service: str) -> None:
    rows = {row.is_due: row for row in await session.execute(_WAITING, {"most": MOST_COUNTED})}
    for state, is_due in (("due", True), ("later", False)):
        WAITING.labels(state).set(rows[is_due].deliveries if is_due in rows else 0)
    OVERDUE.set(max(0.0, float(rows[True].overdue)) if True in rows else 0.0)
