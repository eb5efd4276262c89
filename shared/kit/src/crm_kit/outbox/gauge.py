"""How many events wait to be published, and for how long the oldest has."""

from typing import Final

from sqlalchemy import text

from crm_kit.db.session import ReadSession
from crm_kit.observability import metrics
from crm_kit.observability.measuring import MOST_COUNTED

WAITING: Final = f"""
    select (select count(*) from (select from outbox where quarantined_at is null limit {MOST_COUNTED}) as these) as events,
           coalesce((select extract(epoch from clock_timestamp() - created_at) from outbox
                      where quarantined_at is null order by id limit 1), 0)::float as oldest
"""  # noqa: S608  # a number of our own
"""`events` up to MOST_COUNTED, and for how many seconds the `oldest` has waited."""


async def measure_outbox(session: ReadSession, service: str) -> None:
    row = (await session.execute(text(WAITING))).one()
    metrics.OUTBOX_EVENTS.labels(service).set(row.events)
    metrics.OUTBOX_AGE.labels(service).set(max(0.0, row.oldest))
