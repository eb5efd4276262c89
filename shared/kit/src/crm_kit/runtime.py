"""The parts of one process: database, event log, and whichever of relay, consumers and timers it runs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import Any, Final, Literal

import structlog
from sqlalchemy import text

from crm_kit.audit.sealer import AuditSealer
from crm_kit.bus import AccessRefused, EventLog, TopicSpec, open_event_log
from crm_kit.db.session import Database
from crm_kit.db.surplus import close_surplus
from crm_kit.dead_letters.gauge import LetterGauge
from crm_kit.http.idempotency import RETENTION
from crm_kit.inbox import ConsumerRunner
from crm_kit.inbox.applying import is_transient
from crm_kit.jobs.gauge import JobGauge
from crm_kit.jobs.running import job_timers
from crm_kit.manifest import Manifest
from crm_kit.migrator import Migrator
from crm_kit.observability.measuring import Measure, Measuring
from crm_kit.observability.recurring import Recurring
from crm_kit.outbox import Relay
from crm_kit.outbox.gauge import measure_outbox
from crm_kit.settings import ServiceSettings
from crm_kit.shutdown import Shutdown, end_tasks
from crm_kit.siblings import Siblings
from crm_kit.timers import TimerHandler, TimerWorker
from crm_kit.timers.gauge import TimerGauge

Role = Literal["api", "relay", "consume", "timers"]
ALL_ROLES: Final[tuple[Role, ...]] = ("api", "relay", "consume", "timers")

_PURGE_PAUSE = timedelta(minutes=10)
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 5.0
_CLOSING_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Runtime:
    """Everything that one process runs beside its HTTP application."""

    database_type: type[Database] = Database
    relay_type: type[Relay] = Relay
    runner_type: type[ConsumerRunner] = ConsumerRunner

    def __init__(
        self,
        manifest: Manifest,
        settings: ServiceSettings,
        roles: Sequence[Role] = ALL_ROLES,
        migrator: Migrator | None = None,
        siblings: Siblings | None = None,
    ) -> None:
        self.siblings = siblings or Siblings()
        """The other processes at its port, if there are any."""
        self.manifest = manifest
        self.settings = settings
        self.roles = frozenset(roles)
        self.database = self.database_type(
            settings.database_url,
            pool_size=settings.database_pool_size,
            settings={
                "application_name": f"{manifest.name}-app",
                "statement_timeout": "30s",
                **manifest.database_settings,
            },
            by_transaction=settings.lends_by_transaction,
        )
        self.system = Database(
            settings.system_database_url,
            pool_size=3,
            settings={"application_name": f"{manifest.name}-system"},
        )
        self.shutdown = Shutdown(
            delay=settings.shutdown_delay if "api" in self.roles else 0.0, grace=settings.shutdown_grace_seconds
        )
        self._migrator = migrator
        self.serves = migrator is None
        """Whether the database has its tables, as far as this process is to see to that."""
        self.failure: str | None = None
        """Why this process has to end: no other try would help."""
        self.event_log: EventLog = open_event_log(settings)
        self.consumers: list[ConsumerRunner] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._event_log_fault: str | None = "the event log does not answer"
        """Why relay and consumers have not begun."""

    def become_sibling(self) -> None:
        """In a process forked from the first, which has all the roles but to answer, and gives nothing out before it serves."""
        self.roles = frozenset({"api"})
        if self._migrator is not None:
            self._migrator.leave()
        self._migrator, self.serves = None, True

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs the background roles; on the way out they finish what they have in hand, bounded in time."""
        self._spawn("start", self._start)
        self.database.meter(self.manifest.name, "app")
        self.system.meter(self.manifest.name, "system")
        self._spawn("surplus", partial(close_surplus, [self.database.surplus, self.system.surplus]))
        try:
            yield
        finally:
            await self._stop()

    async def _start(self) -> None:
        """Waits for the database where it is to be migrated, and for the event log, however long."""
        if self._migrator is not None:
            try:
                await _insist("database", self._migrator.migrate)
            except Exception as error:
                log.exception("migration_failed")
                self.failure = f"the database cannot be migrated: {error}"
                return
            self.serves = True
        self._start_timers()
        if self.roles & {"relay", "consume"}:
            await _insist("event_log", self._open_event_log)
            self._event_log_fault = None
            self._start_relay_and_consumers()

    async def _open_event_log(self) -> None:
        try:
            await self.event_log.start()
            await self.event_log.ensure_topics([TopicSpec(topic.name) for topic in self.manifest.topics])
        except AccessRefused as refused:
            self._event_log_fault = f"the event log refuses this service: {refused}"
            raise

    def _start_timers(self) -> None:
        if "timers" in self.roles:
            handlers: dict[str, TimerHandler] = {}
            if jobs := self.manifest.jobs:
                handlers.update(job_timers(jobs, self.settings))
            for feature in self.manifest.features:
                if feature.timers is not None:
                    handlers.update(feature.timers(self.settings))
            if handlers:
                self._spawn(
                    "timers",
                    TimerWorker(handlers, self.database, self.system, service=self.manifest.name).run,
                )
            self._spawn("purge", self._purge)
            kept = timedelta(days=self.settings.audit_retention_days)
            self._spawn("audit-sealer", AuditSealer(self.system, self.manifest.name, kept).run)
            measures = self._measures(list(handlers))
            self._spawn("measuring", Measuring(self.system, self.manifest.name, measures).run)

    def _measures(self, timers: list[str]) -> list[Measure]:
        letters = LetterGauge(consumer.name for consumer in self.manifest.consumers)
        measures: list[Measure] = [measure_outbox, letters.measure, TimerGauge(timers).measure]
        if self.manifest.jobs:
            measures.append(JobGauge(list(self.manifest.jobs)).measure)
        return [*measures, *(measure for feature in self.manifest.features for measure in feature.measures)]

    def _spawn(self, name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._tasks.append(asyncio.create_task(_guarded(name, run), name=name))

    def _start_relay_and_consumers(self) -> None:
        if "relay" in self.roles:
            relay = self.relay_type(self.settings.system_database_url, self.event_log, service=self.manifest.name)
            self._spawn("relay", relay.run)
        if "consume" in self.roles:
            for consumer in self.manifest.consumers:
                runner = self.runner_type(consumer, self.database, self.event_log, service=self.manifest.name)
                self.consumers.append(runner)
                self._spawn(f"consumer-{consumer.name}", runner.run)
            for feature in self.manifest.features:
                for name, work in feature.workers.items():
                    self._spawn(name, partial(work, self))

    async def _purge(self) -> None:
        """Forgets idempotency records after their time."""
        while True:
            try:
                async with self.system.write(None) as session:
                    statement = text("delete from idempotency where created_at < now() - cast(:kept as interval)")
                    await session.execute(statement, {"kept": RETENTION})
            except Exception as error:
                log.warning("purge_failed", error=str(error), kind=type(error).__name__)
            await asyncio.sleep(_PURGE_PAUSE.total_seconds())

    async def _stop(self) -> None:
        await end_tasks(self._tasks, self.shutdown.left() - _CLOSING_SECONDS)
        closing = (each.close() for each in (self.event_log, self.database, self.system))
        with suppress(TimeoutError):
            async with asyncio.timeout(max(_CLOSING_SECONDS, self.shutdown.left())):
                await asyncio.gather(*closing, return_exceptions=True)

    def liveness_fault(self) -> str | None:
        """Why this process is better restarted. Asks neither the database nor the broker."""
        for task in self._tasks:
            if task.done() and not task.cancelled() and (task.get_name() != "start" or task.exception()):
                return f"{task.get_name()} has stopped"
        stalled = [runner.name for runner in self.consumers if runner.stalled]
        return f"no progress: {', '.join(stalled)}" if stalled else None

    async def readiness_fault(self) -> str | None:
        """Why this process should not be sent requests now."""
        if self.shutdown.asked:
            return "it is being stopped"
        try:
            # Both: a pool notices only when it is used that its connections died with the server.
            async with asyncio.timeout(2):
                await self.database.ping()
                await self.system.ping()
        except Exception as error:
            return f"the database does not answer ({type(error).__name__})"
        if not self.serves:
            return "the database is being migrated"
        if not self.siblings.is_whole:
            return "the other processes at its port are starting"
        return self._event_log_fault if self.roles & {"relay", "consume"} else None


async def _insist(what: str, attempt: Callable[[], Awaitable[None]]) -> None:
    """Tries until it succeeds, and says now and then what it waits for. Raises what no other try would mend."""
    fault, pause = Recurring(), _FIRST_PAUSE_SECONDS
    while True:
        try:
            await attempt()
        except Exception as error:
            if not is_transient(error):
                raise
            if fault.is_news(str(error)):
                log.warning(f"waiting_for_{what}", error=str(error))
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        else:
            if fault.is_over():
                log.info(f"{what}_answers")
            return


async def _guarded(name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """A background task that ends by an error says so; liveness then fails."""
    try:
        await run()
    except asyncio.CancelledError:
        raise
    except Exception:
        log.exception("background_task_failed", task=name)
        raise
