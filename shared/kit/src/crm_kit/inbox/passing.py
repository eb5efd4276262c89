"""Whether a consumer has passed all that was published before."""

import asyncio
from typing import Final

from sqlalchemy import text

from crm_kit.bus.port import EventLog
from crm_kit.db.session import Database
from crm_kit.inbox.applying import Consumer

_POLL_SECONDS: Final = 0.05
_POSITIONS = text("select topic, partition, next_offset from consumer_position where consumer = :consumer")


class ConsumerBehind(Exception):
    """The consumer does not catch up in time: nothing can be judged now, and its lag has an alarm of its own."""


class Passing:
    def __init__(self, consumer: Consumer, database: Database, event_log: EventLog, seconds: float) -> None:
        self._consumer = consumer
        self._database = database
        self._event_log = event_log
        self._seconds = seconds

    async def wait(self) -> None:
        """Until everything that the log holds now has been applied, or parked. Raises ConsumerBehind."""
        lags = await self._event_log.lag(self._consumer.name, [topic.name for topic in self._consumer.topics])
        ends = {(tp.topic, tp.partition): lag.end for tp, lag in lags.items()}
        try:
            async with asyncio.timeout(self._seconds):
                while not await self._is_past(ends):
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError as error:
            raise ConsumerBehind(f"{self._consumer.name} is behind by more than {self._seconds:g} s") from error

    async def _is_past(self, ends: dict[tuple[str, int], int]) -> bool:
        # The positions that decide: they commit with the effects. Those that the log knows are for metrics.
        async with self._database.read(None) as session:
            rows = await session.execute(_POSITIONS, {"consumer": self._consumer.name})
            stored = {(row.topic, row.partition): row.next_offset for row in rows}
        return all(stored.get(place, 0) >= end for place, end in ends.items())
