"""Runs due timers: order does not matter here, so several workers may share them by SKIP LOCKED.

The timer's row is locked while its handler runs in the same transaction: effect and removal commit together, and a
worker that dies gives the timer back at once. A handler with an effect outside the database (a message) returns it as
`Outside`: the transaction ends first, and the effect must be recognisable when it is repeated.

What is due is told by the database's clock, also to handlers and to whoever sets a timer for now (`session.now`).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from pydantic import JsonValue
from sqlalchemy import delete as sql_delete
from sqlalchemy import func, select, text, update

from crm_kit import context
from crm_kit.db.session import Database, WriteSession, storable
from crm_kit.observability import metrics, tracing
from crm_kit.observability.recurring import Recurring
from crm_kit.shutdown import finish
from crm_kit.tenants.table import TENANT_STATE
from crm_kit.timers.table import TIMER

_IDLE_SECONDS = 1.0
_MAX_BACKOFF = timedelta(hours=1)
_FIND_BATCH = 50

_CONCLUDE_PAUSES = (0.2, 1.0, 5.0)

Conclusion = Callable[[WriteSession], Awaitable[datetime | None]]
"""Records, in a transaction of its own, what an effect outside the database came to. Returns as a handler does."""


@dataclass(frozen=True, slots=True)
class Outside:
    """An effect outside the database, which a handler returns so that no transaction is open while it happens.

    The handler's transaction is committed with the timer leased for `lease`; then `act` runs; then the conclusion that
    it returns. A worker that dies in between leaves the timer to come due when the lease is over, and the handler runs
    again: at least once. `act` must end well within `lease`, unless that is `renewed` for as long as it takes, and say in its
    conclusion how it failed.
    """

    act: Callable[[], Awaitable[Conclusion]]
    lease: timedelta
    renewed: bool = False


TimerHandler = Callable[[WriteSession, str, Mapping[str, JsonValue]], Awaitable[datetime | Outside | None]]
"""Takes the session, the timer's key and payload. Returns when to run again, None when done, or what is left to do."""

log = structlog.get_logger(__name__)


class RetryLater(Exception):
    """The handler could not do its work now; what it did is undone and it runs again after a pause."""

    def __init__(self, reason: str, *, after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.after = after


class TimerWorker:
    """Runs the due timers of the given kinds, `concurrency` at a time, until cancelled.

    Those that run then are finished. `system` sees the timers of all tenants; each handler runs as the application's
    role, for its tenant alone.
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
        self._concurrency = concurrency
        self._running: set[int] = set()
        self._fault = Recurring()
        for outcome in ("retried", "failed"):
            metrics.TIMERS_RUN.labels(service, "any", outcome)

    async def run(self) -> None:
        working: set[asyncio.Task[bool]] = set()
        due: deque[tuple[str, int]] = deque()
        try:
            while True:
                # One that takes long keeps no other from a place that is free, nor anybody from looking for others.
                due = due or await self._find_due()
                while due and len(working) < self._concurrency:
                    working.add(asyncio.create_task(self._run_one(*due.popleft())))
                if not working:
                    await asyncio.sleep(_IDLE_SECONDS)
                    continue
                timeout = None if len(working) == self._concurrency else _IDLE_SECONDS
                ended, working = await asyncio.wait(working, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
                if ended and not any(task.result() for task in ended):
                    await asyncio.sleep(_IDLE_SECONDS)  # other workers have them
        finally:
            # Not a TaskGroup: that would keep a second cancellation from what the first one left to finish.
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)

    async def _find_due(self) -> deque[tuple[str, int]]:
        """Tenant and id of those that have been due longest, some of them, which nobody else here begins then."""
        table = TIMER.c
        try:
            async with self._system.read(None) as session:
                rows = await session.execute(
                    select(table.id, table.tenant_id)
                    .where(table.kind.in_(list(self._handlers)), table.due_at <= func.clock_timestamp())
                    .where(table.id.not_in(list(self._running)))
                    .where(table.tenant_id.not_in(select(TENANT_STATE.c.tenant_id)))
                    .order_by(table.due_at)
                    .limit(_FIND_BATCH)
                )
                found = deque((row.tenant_id, row.id) for row in rows)
            self._fault.is_over()
        except Exception as error:
            if self._fault.is_news(type(error).__name__):
                log.warning("timers_interrupted", error=str(error), kind=type(error).__name__)
            return deque()
        self._running.update(timer_id for _, timer_id in found)
        return found

    async def _run_one(self, tenant_id: str, timer_id: int) -> bool:
        """Whether it ran; those that other workers hold do not count."""
        try:
            return await finish(self._attempt(tenant_id, timer_id))
        except Exception as error:
            outcome = "retried" if isinstance(error, RetryLater) else "failed"
            metrics.TIMERS_RUN.labels(self._service, "any", outcome).inc()
            log.warning("timer_failed", id=timer_id, error=str(error), error_kind=type(error).__name__)
            with suppress(Exception):
                await self._postpone(tenant_id, timer_id, error)
            return False
        finally:
            self._running.discard(timer_id)

    async def _attempt(self, tenant_id: str, timer_id: int) -> bool:
        actor = f"service/{self._service}"
        here = context.Context(context.start_trace(), f"timer-{timer_id}", tenant_id, actor, via="timer")
        with context.use(here):
            async with self._database.write(tenant_id) as session:
                row = (
                    await session.execute(
                        select(TIMER)
                        .where(TIMER.c.id == timer_id, TIMER.c.due_at <= func.clock_timestamp())
                        .with_for_update(skip_locked=True)
                    )
                ).one_or_none()
                if row is None:
                    return False
                with tracing.work(here.trace, f"timer {row.kind}", tenant_id):
                    result = await self._handlers[row.kind](session, row.key, row.payload)
                    await session.flush()
                until = None
                if isinstance(result, Outside):
                    until = await self._leased(session, row, result.lease)
                else:
                    await self._finish(session, row, result)
            if isinstance(result, Outside):
                assert until is not None
                conclusion, until = await self._act(tenant_id, timer_id, until, result)
                await self._conclude(tenant_id, timer_id, until, conclusion)
        metrics.TIMERS_RUN.labels(self._service, row.kind, "done").inc()
        return True

    async def _act(
        self, tenant_id: str, timer_id: int, until: datetime, outside: Outside
    ) -> tuple[Conclusion, datetime]:
        """What the effect came to, and until when the timer is leased then."""
        if not outside.renewed:
            return await outside.act(), until
        acting = asyncio.ensure_future(outside.act())
        try:
            while not (await asyncio.wait([acting], timeout=outside.lease.total_seconds() / 3))[0]:
                with suppress(Exception):  # the database may be back before the lease is over
                    until = await self._renewed(tenant_id, timer_id, until, outside.lease)
        finally:
            if not acting.done():
                acting.cancel()
                await asyncio.wait([acting])
        return await acting, until

    async def _renewed(self, tenant_id: str, timer_id: int, until: datetime, lease: timedelta) -> datetime:
        """The new end of the lease; the old one where the timer is gone or another worker's."""
        async with self._database.write(tenant_id, always=True) as session:
            mine = (TIMER.c.id == timer_id, TIMER.c.due_at == until)
            later = await session.now() + lease
            renewed = await session.scalar(update(TIMER).where(*mine).values(due_at=later).returning(TIMER.c.due_at))
        return renewed or until

    async def _conclude(self, tenant_id: str, timer_id: int, leased_until: datetime, conclusion: Conclusion) -> None:
        """The effect has happened: not to record it would repeat it, so a failing database is given some time."""
        for pause in (*_CONCLUDE_PAUSES, None):
            try:
                async with self._database.write(tenant_id, always=True) as session:
                    # The timer first, as everywhere; it may be gone, or another worker's since the lease was over.
                    row = (
                        await session.execute(select(TIMER).where(TIMER.c.id == timer_id).with_for_update())
                    ).one_or_none()
                    again = await conclusion(session)
                    await session.flush()
                    if row is not None and row.due_at == leased_until:
                        await self._finish(session, row, again)
                return
            except Exception as error:
                if pause is None:
                    raise
                log.warning("timer_conclusion_retried", id=timer_id, error=str(error), error_kind=type(error).__name__)
                await asyncio.sleep(pause)

    async def _leased(self, session: WriteSession, row: Any, lease: timedelta) -> datetime:
        """Until when. How often it was tried stays, until the effect has happened."""
        until = await session.now() + lease
        mine = (TIMER.c.id == row.id, TIMER.c.due_at == row.due_at)
        await session.execute(update(TIMER).where(*mine).values(due_at=until))
        return until

    async def _finish(self, session: WriteSession, row: Any, again: datetime | None) -> None:
        mine = (TIMER.c.id == row.id, TIMER.c.due_at == row.due_at)
        if again is None:
            await session.execute(sql_delete(TIMER).where(*mine))
        else:
            await session.execute(update(TIMER).where(*mine).values(due_at=again, attempts=0, error=None))

    async def _postpone(self, tenant_id: str, timer_id: int, error: Exception) -> None:
        async with self._database.write(tenant_id, always=True) as session:
            attempts = await session.scalar(
                text("update timer set attempts = attempts + 1, error = :error where id = :id returning attempts"),
                {"id": timer_id, "error": storable(str(error))[:2000]},
            )
            if attempts is None:
                return
            pause = getattr(error, "after", None) or min(timedelta(seconds=2 ** min(attempts, 12)), _MAX_BACKOFF)
            due_at = await session.now() + pause
            await session.execute(update(TIMER).where(TIMER.c.id == timer_id).values(due_at=due_at))
