"""How many jobs of each kind are open, how old the oldest is, and how long one has made no step."""

from typing import Final

from sqlalchemy import text

from crm_kit.db.session import ReadSession
from crm_kit.jobs.schemas import OPEN
from crm_kit.observability import metrics

_OPEN: Final = text(
    """
    select kind, status, count(*) as jobs, extract(epoch from clock_timestamp() - min(created_at)) as oldest,
           extract(epoch from clock_timestamp() - min(updated_at)) as unmoved
      from job where status in ('pending', 'running') group by kind, status
    """
)


class JobGauge:
    """`kinds`: those that this release knows."""

    def __init__(self, kinds: list[str]) -> None:
        self._kinds = kinds

    async def measure(self, session: ReadSession, service: str) -> None:
        rows = {(row.kind, row.status): row for row in await session.execute(_OPEN)}
        for kind in self._kinds:
            found = {status: rows.get((kind, status)) for status in OPEN}
            there = [row for row in found.values() if row is not None]
            for status, row in found.items():
                metrics.JOBS.labels(service, kind, status).set(row.jobs if row is not None else 0)
            metrics.JOBS_OLDEST.labels(service, kind).set(max((float(row.oldest) for row in there), default=0.0))
            metrics.JOBS_UNMOVED.labels(service, kind).set(max((float(row.unmoved) for row in there), default=0.0))
