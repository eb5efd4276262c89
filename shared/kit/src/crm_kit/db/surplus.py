"""Connections that a burst has opened, and nothing has needed since, are closed: each is five to fifteen megabytes of PostgreSQL's."""

import asyncio
from collections.abc import Iterable
from typing import Final

import structlog
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import QueuePool

_EVERY_SECONDS: Final = 60.0

log = structlog.get_logger(__name__)


class Surplus:
    """Of one pool, which hands out first what came back last. A place whose connection was closed stays in it, and comes last."""

    def __init__(self, engine: AsyncEngine) -> None:
        pool = engine.pool
        assert isinstance(pool, QueuePool), "SQLAlchemy's own for asynchronous engines"
        self._engine = engine
        self.pool = pool
        self._open = self._needed = 0
        event.listen(engine.sync_engine, "connect", self._on_open)
        event.listen(engine.sync_engine, "close", self._on_close)
        event.listen(engine.sync_engine, "close_detached", self._on_close)
        event.listen(engine.sync_engine, "checkout", self._on_checkout)

    def _on_open(self, *_: object) -> None:
        self._open += 1

    def _on_close(self, *_: object) -> None:
        self._open -= 1

    def _on_checkout(self, *_: object) -> None:
        self._needed = max(self._needed, self.pool.checkedout())

    async def close(self) -> int:
        """Closes what was not in use at any one time since the last call, but for one; how many those were."""
        spare = self._open - max(self._needed, 1)
        taken: list[AsyncConnection] = []
        closed = 0
        try:
            idle = self._open - self.pool.checkedout() if spare > 0 else 0
            while len(taken) < idle and self.pool.checkedin():  # never waits for one: requests do
                taken.append(await self._engine.connect())
            for _ in range(min(spare, len(taken))):
                await taken[-1].run_sync(Connection.detach)
                await taken.pop().close()
                closed += 1
        finally:
            for connection in reversed(taken):
                await connection.close()
            self._needed = self.pool.checkedout()
        return closed


async def close_surplus(pools: Iterable[Surplus]) -> None:
    """Once a minute, until cancelled."""
    pools = list(pools)
    while True:
        await asyncio.sleep(_EVERY_SECONDS)
        for pool in pools:
            try:
                await pool.close()
            except Exception as error:
                log.info("surplus_not_closed", error=str(error), kind=type(error).__name__)
