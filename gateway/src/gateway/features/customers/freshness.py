"""How many marks of stale views there are (`backlog.py`), and how long the oldest view has been: what alarms watch."""

from typing import Final

from crm_kit.db.session import ReadSession
from crm_kit.observability.measuring import MOST_COUNTED
from prometheus_client import Gauge
from sqlalchemy import text

STALE = Gauge("crm_views_stale", "Marks of customers' views that are to be composed anew, up to 100,000")
STALE_OLDEST = Gauge("crm_views_stale_oldest_seconds", "How long the oldest of them has waited")

# In the order of their making but for those that were taken and put back.
_STALE: Final = text(
    """
    select count(*) as marks, extract(epoch from clock_timestamp() - min(marked_at)) as oldest
      from (select marked_at from stale_customer order by id limit :most) as these
    """
)


async def measure_stale_views(session: ReadSession, _service: str) -> None:
    row = (await session.execute(_STALE, {"most": MOST_COUNTED})).one()
    STALE.set(row.marks)
    STALE_OLDEST.set(max(0.0, float(row.oldest or 0)))
