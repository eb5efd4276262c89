"""Gauges of what lies in the database, for all tenants together: what alarms watch.

Measured apart from whoever works it off: a relay that hangs cannot say so.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from crm_kit.db.session import Database, ReadSession
from crm_kit.observability.recurring import Recurring

MOST_COUNTED: Final = 100_000
"""A backlog of more is not counted to its end."""

_PAUSE_SECONDS: Final = 15.0

Measure = Callable[[ReadSession, str], Awaitable[None]]
"""Sets gauges of a service. The session is the system role's and has no tenant; statements must be cheap however much lies there."""

log = structlog.get_logger(__name__)


class Measuring:
    """Takes the measures again and again, until cancelled. `system` is the role that sees all tenants' rows."""

    def __init__(self, system: Database, service: str, measures: Sequence[Measure]) -> None:
        self._system = system
        self._service = service
        self._measures = measures
        self._fault = Recurring()

    async def run(self) -> None:
        """Runs until cancelled; whatever fails is tried again."""
        while True:
            for measure in self._measures:
                try:
                    async with self._system.read(None) as session:
                        await measure(session, self._service)
                except Exception as error:
                    if self._fault.is_news(f"{type(error).__name__} {error}"):
                        log.warning("not_measured", error=str(error), kind=type(error).__name__)
            await asyncio.sleep(_PAUSE_SECONDS)
