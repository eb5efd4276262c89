"""How many timers of each kind are due, and for how long the first one has been: more than seconds is a backlog."""

from typing import Final

from sqlalchemy import text

from crm_kit.db.session import ReadSession
from crm_kit.observability import metrics
from crm_kit.observability.measuring import MOST_COUNTED

_DUE: Final = text(
    """
    select kind, count(*) as timers, extract(epoch from clock_timestamp() - min(due_at)) as overdue
      from (select kind, due_at from timer where kind = any(cast(:kinds as text[])) and due_at <= now() limit :most) as these
     group by kind
    """
)


class TimerGauge:
    """`kinds`: those that this release has handlers of."""

    def __init__(self, kinds: list[str]) -> None:
        self._kinds = kinds

    async def measure(self, session: ReadSession, service: str) -> None:
        rows = await session.execute(_DUE, {"kinds": self._kinds, "most": MOST_COUNTED})
        found = {row.kind: (row.timers, float(row.overdue)) for row in rows}
        for kind in self._kinds:
            timers, overdue = found.get(kind, (0, 0.0))
            metrics.TIMERS_DUE.labels(service, kind).set(timers)
            metrics.TIMERS_OVERDUE.labels(service, kind).set(max(0.0, overdue))
