"""How many letters lie in this service's database, of all tenants, and how old the oldest is: what alarms watch."""

from collections.abc import Iterable

from sqlalchemy import text

from crm_kit.db.session import ReadSession
from crm_kit.observability import metrics

_COUNT = text(
    """
    select 'consumer' as stage, consumer, count(*) as letters, extract(epoch from now() - min(parked_at)) as oldest
      from parked_event group by consumer
     union all
    select 'outbox', '', count(*), extract(epoch from now() - min(created_at))
      from outbox where quarantined_at is not null
    """
)

Place = tuple[str, str]
"""Stage and consumer."""


class LetterGauge:
    """`consumers`: those that are told of although they have none."""

    def __init__(self, consumers: Iterable[str]) -> None:
        self._places: set[Place] = {("outbox", ""), *(("consumer", name) for name in consumers)}

    async def measure(self, session: ReadSession, service: str) -> None:
        rows = await session.execute(_COUNT)
        found = {(row.stage, row.consumer): (row.letters, float(row.oldest or 0)) for row in rows}
        self._places |= found.keys()
        for stage, consumer in self._places:
            letters, oldest = found.get((stage, consumer), (0, 0.0))
            metrics.DEAD_LETTERS.labels(service, stage, consumer).set(letters)
            metrics.DEAD_LETTERS_OLDEST.labels(service, stage, consumer).set(max(0.0, oldest))
