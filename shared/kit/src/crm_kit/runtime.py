"""The parts of one process: database, event log, and whichever of relay, consumers and timers it runs."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, Final, Literal

import structlog
from sqlalchemy import text

from crm_kit.bus import EventLog, EventLogError, TopicSpec, open_event_log
from crm_kit.db.models import utc_now
from crm_kit.db.session import Database
from crm_kit.dead_letters.gauge import LetterGauge
from crm_kit.http.idempotency import RETENTION
from crm_kit.inbox import ConsumerRunner
from crm_kit.manifest import Manifest
from crm_kit.outbox import Relay
from crm_kit.settings import ServiceSettings
from crm_kit.timers import TimerHandler, TimerWorker

Role = Literal["api", "relay", "consume", "timers"]
ALL_ROLES: Final[tuple[Role, ...]] = ("api", "relay", "consume", "timers")

_PURGE_PAUSE = timedelta(minutes=10)

log = structlog.get_logger(__name__)


class Runtime:
    """Everything that one process runs beside its HTTP application."""

    database_type: type[Database] = Database
    relay_type: type[Relay] = Relay
    runner_type: type[ConsumerRunner] = ConsumerRunner

    def __init__(self, manifest: Manifest, settings: ServiceSettings, roles: Sequence[Role] = ALL_ROLES) -> None:
        self.manifest = manifest
        self.settings = settings
        self.roles = frozenset(roles)
        self.database = self.database_type(
            settings.database_url,
            pool_size=settings.database_pool_size,
            settings={
                "application_name": f"{manifest.name}-app",
                "idle_in_transaction_session_timeout": "60s",
                "statement_timeout": "30s",
            },
        )
        self.system = Database(
            settings.system_database_url,
            pool_size=3,
            settings={"application_name": f"{manifest.name}-system"},
        )
        self.event_log: EventLog = open_event_log(settings)
        self.consumers: list[ConsumerRunner] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._event_log_ready = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs the background roles; stops them, bounded in time, on the way out."""
        self._start()
        try:
            yield
        finally:
            await self._stop()

    def _start(self) -> None:
        if self.roles & {"relay", "consume"}:
            self._spawn("event-log", self._connect_event_log)
        if "timers" in self.roles:
            handlers: dict[str, TimerHandler] = {}
            for feature in self.manifest.features:
                if feature.timers is not None:
                    handlers.update(feature.timers(self.settings))
            if handlers:
                self._spawn(
                    "timers",
                    TimerWorker(handlers, self.database, self.system, service=self.manifest.name).run,
                )
            self._spawn("purge", self._purge)
            consumers = [consumer.name for consumer in self.manifest.consumers]
            self._spawn("dead-letters", LetterGauge(self.system, self.manifest.name, consumers).run)

    def _spawn(self, name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._tasks.append(asyncio.create_task(_guarded(name, run), name=name))

    async def _connect_event_log(self) -> None:
        """Waits for the event log, however long, then starts what needs it."""
        pause = 0.1
        while True:
            try:
                await self.event_log.start()
                await self.event_log.ensure_topics([TopicSpec(topic.name) for topic in self.manifest.topics])
                break
            except (EventLogError, OSError) as error:
                log.warning("event_log_unreachable", error=str(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)
        self._event_log_ready = True
        if "relay" in self.roles:
            relay = self.relay_type(self.settings.system_database_url, self.event_log, service=self.manifest.name)
            self._spawn("relay", relay.run)
        if "consume" in self.roles:
            for consumer in self.manifest.consumers:
                runner = self.runner_type(consumer, self.database, self.event_log, service=self.manifest.name)
                self.consumers.append(runner)
                self._spawn(f"consumer-{consumer.name}", runner.run)

    async def _purge(self) -> None:
        """Forgets idempotency records after their time."""
        while True:
            with suppress(Exception):
                async with self.system.write(None) as session:
                    statement = text("delete from idempotency where created_at < :before")
                    await session.execute(statement, {"before": utc_now() - RETENTION})
            await asyncio.sleep(_PURGE_PAUSE.total_seconds())

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self.settings.shutdown_grace_seconds)
        for close in (self.event_log.close, self.database.close, self.system.close):
            with suppress(Exception):
                await asyncio.wait_for(close(), 5)

    def liveness_fault(self) -> str | None:
        """Why this process is better restarted. Asks neither the database nor the broker."""
        for task in self._tasks:
            if task.done() and not task.cancelled() and task.get_name() != "event-log":
                return f"{task.get_name()} has stopped"
        stalled = [runner.name for runner in self.consumers if runner.stalled]
        return f"no progress: {', '.join(stalled)}" if stalled else None

    async def readiness_fault(self) -> str | None:
        """Why this process should not be sent requests now."""
        if self.roles & {"relay", "consume"} and not self._event_log_ready:
            return "the event log does not answer"
        try:
            await asyncio.wait_for(self.database.ping(), 2)
        except Exception as error:
            return f"the database does not answer ({type(error).__name__})"
        return None


async def _guarded(name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """A background task that ends by an error says so; liveness then fails."""
    try:
        await run()
    except asyncio.CancelledError:
        raise
    except Exception:
        log.exception("background_task_failed", task=name)
        raise
