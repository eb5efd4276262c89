"""How many events wait to be published, and for how long the oldest has."""

from typing import Final

from sqlalchemy import text

from crm_kit.db.session import ReadSession
from crm_kit.observability import metrics
from crm_kit.observability.measuring import MOST_COUNTED

_WAITING: Final = text(
    """
    select (select count(*) from (select from outbox where quarantined_at is null limit :most) as these) as events,
           (select extract(epoch from clock_timestamp() - created_at) from outbox
             where quarantined_at is null order by id limit 1) as oldest
    """
)


async def measure_outbox(session: ReadSession, service: str) -> None:
    row = (await session.execute(_WAITING, {"most": MOST_COUNTED})).one()
    metrics.OUTBOX_EVENTS.labels(service).set(row.events)
    metrics.OUTBOX_AGE.labels(service).set(max(0.0, float(row.oldest or 0)))
