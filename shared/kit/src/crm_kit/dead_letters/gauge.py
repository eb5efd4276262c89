"""How many letters lie in this service's database, of all tenants, and how old the oldest is: what alarms watch."""

import asyncio
from collections.abc import Iterable
from typing import Final

import structlog
from sqlalchemy import text

from crm_kit.db.session import Database
from crm_kit.observability import metrics

_PAUSE_SECONDS: Final = 15.0

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

log = structlog.get_logger(__name__)


class LetterGauge:
    """Keeps the two gauges up to date, until cancelled. `system` is the role that sees all tenants' rows."""

    def __init__(self, system: Database, service: str, consumers: Iterable[str]) -> None:
        self._system = system
        self._service = service
        self._places: set[Place] = {("consumer", name) for name in consumers}

    async def run(self) -> None:
        """Runs until cancelled; whatever fails is tried again."""
        while True:
            try:
                await self.measure()
            except Exception as error:
                log.warning("dead_letters_not_counted", error=str(error), kind=type(error).__name__)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def measure(self) -> None:
        async with self._system.read(None) as session:
            rows = list(await session.execute(_COUNT))
        found = {(row.stage, row.consumer): (row.letters, float(row.oldest or 0)) for row in rows}
        self._places |= found.keys()
        for stage, consumer in self._places:
            letters, oldest = found.get((stage, consumer), (0, 0.0))
            metrics.DEAD_LETTERS.labels(self._service, stage, consumer).set(letters)
            metrics.DEAD_LETTERS_OLDEST.labels(self._service, stage, consumer).set(max(0.0, oldest))
