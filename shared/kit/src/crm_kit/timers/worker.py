"""Runs due timers: order does not matter here, so several workers may share them by SKIP LOCKED.

The timer's row is locked while its handler runs in the same transaction: effect and removal commit together, and a
worker that dies gives the timer back at once. A handler with an effect outside the database (a message) must make that
effect recognisable when it is repeated.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import structlog
from pydantic import JsonValue
from sqlalchemy import delete as sql_delete
from sqlalchemy import select, text, update

from crm_kit import context
from crm_kit.db.models import utc_now
from crm_kit.db.session import Database, WriteSession
from crm_kit.observability import metrics
from crm_kit.timers.table import TIMER

_IDLE_SECONDS = 1.0
_MAX_BACKOFF = timedelta(hours=1)
_FIND_BATCH = 50

TimerHandler = Callable[[WriteSession, str, Mapping[str, JsonValue]], Awaitable[datetime | None]]
"""Takes the session, the timer's key and payload. Returns when to run again, or None when done."""

log = structlog.get_logger(__name__)


class RetryLater(Exception):
    """The handler could not do its work now; what it did is undone and it runs again after a pause."""

    def __init__(self, reason: str, *, after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.after = after


class TimerWorker:
    """Runs the due timers of the given kinds, `concurrency` at a time, until cancelled.

    `system` sees the timers of all tenants; each handler runs as the application's role, for its tenant alone.
    """

    def __init__(
        self,
        handlers: Mapping[str, TimerHandler],
        database: Database,
        system: Database,
        *,
        service: str,
        concurrency: int = 4,
    ) -> None:
        self._handlers = handlers
        self._database = database
        self._system = system
        self._service = service
        self._limit = asyncio.Semaphore(concurrency)
        self._running: set[int] = set()

    async def run(self) -> None:
        while True:
            found = 0
            try:
                found = await self._run_due()
            except Exception as error:
                log.warning("timers_interrupted", error=str(error), kind=type(error).__name__)
            if not found:
                await asyncio.sleep(_IDLE_SECONDS)

    async def _run_due(self) -> int:
        table = TIMER.c
        async with self._system.read(None) as session:
            rows = (
                await session.execute(
                    select(table.id, table.tenant_id)
                    .where(table.kind.in_(list(self._handlers)), table.due_at <= utc_now())
                    .where(table.id.not_in(list(self._running)))
                    .order_by(table.due_at)
                    .limit(_FIND_BATCH)
                )
            ).all()
        async with asyncio.TaskGroup() as group:
            for row in rows:
                await self._limit.acquire()
                self._running.add(row.id)
                group.create_task(self._run_one(row.tenant_id, row.id))
        return len(rows)

    async def _run_one(self, tenant_id: str, timer_id: int) -> None:
        try:
            await self._attempt(tenant_id, timer_id)
        except Exception as error:
            outcome = "retried" if isinstance(error, RetryLater) else "failed"
            metrics.TIMERS_RUN.labels(self._service, "any", outcome).inc()
            log.warning("timer_failed", id=timer_id, error=str(error), error_kind=type(error).__name__)
            with suppress(Exception):
                await self._postpone(tenant_id, timer_id, error)
        finally:
            self._running.discard(timer_id)
            self._limit.release()

    async def _attempt(self, tenant_id: str, timer_id: int) -> None:
        async with self._database.write(tenant_id) as session:
            row = (
                await session.execute(
                    select(TIMER)
                    .where(TIMER.c.id == timer_id, TIMER.c.due_at <= utc_now())
                    .with_for_update(skip_locked=True)
                )
            ).one_or_none()
            if row is None:
                return
            here = context.Context(context.start_trace(), f"timer-{timer_id}", tenant_id, f"service/{self._service}")
            with context.use(here):
                again = await self._handlers[row.kind](session, row.key, row.payload)
                await session.flush()
            await self._finish(session, row, again)
        metrics.TIMERS_RUN.labels(self._service, row.kind, "done").inc()

    async def _finish(self, session: WriteSession, row: Any, again: datetime | None) -> None:
        mine = (TIMER.c.id == row.id, TIMER.c.due_at == row.due_at)
        if again is None:
            await session.execute(sql_delete(TIMER).where(*mine))
        else:
            await session.execute(update(TIMER).where(*mine).values(due_at=again, attempts=0, error=None))

    async def _postpone(self, tenant_id: str, timer_id: int, error: Exception) -> None:
        async with self._database.write(tenant_id) as session:
            attempts = await session.scalar(
                text("update timer set attempts = attempts + 1, error = :error where id = :id returning attempts"),
                {"id": timer_id, "error": str(error)[:2000]},
            )
            if attempts is None:
                return
            pause = getattr(error, "after", None) or min(timedelta(seconds=2 ** min(attempts, 12)), _MAX_BACKOFF)
            await session.execute(update(TIMER).where(TIMER.c.id == timer_id).values(due_at=utc_now() + pause))
