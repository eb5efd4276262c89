"""The scheduled job: one gateway process has it, as long as it lives, and another takes it over."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress

import structlog
from crm_kit.bus import EventLog, EventLogError
from crm_kit.db.connecting import Connection, connect
from crm_kit.inbox.applying import is_transient
from crm_kit.inbox.passing import ConsumerBehind
from crm_kit.observability.recurring import Recurring
from crm_kit.runtime import Runtime

from gateway.features.reconcile import metrics
from gateway.features.reconcile.drift import KINDS
from gateway.features.reconcile.reconciler import Allowance, Reconciler
from gateway.features.reconcile.run import Tally, reconcile, tenants
from gateway.features.reconcile.sampling import sample
from gateway.settings import GatewaySettings
from gateway.upstream import UpstreamUnavailable

_LOCK = "select pg_try_advisory_lock(2824, 0)"

log = structlog.get_logger(__name__)


class ReconcileJob:
    def __init__(
        self, runtime: Runtime, settings: GatewaySettings, reconciler: Reconciler, event_log: EventLog
    ) -> None:
        """`event_log` is the reconciler's, not started yet; it is closed with the job."""
        self._runtime = runtime
        self._settings = settings
        self._reconciler = reconciler
        self._event_log = event_log
        self._holding: Connection | None = None
        self._fault = Recurring()
        for kind in KINDS:  # so that an alarm on their increase sees the first one too
            metrics.DRIFTED.labels(kind)

    async def run(self) -> None:
        """Runs until cancelled; whatever fails is tried again after the interval."""
        try:
            while True:
                # Processes that were started together should not ask at the same moment.
                await asyncio.sleep(self._settings.reconcile_interval_seconds * random.uniform(0.9, 1.1))  # noqa: S311  # no secret
                try:
                    if await self._holds_the_lock():
                        await self._event_log.start()
                        await self._run_once()
                except Exception as error:
                    metrics.RUNS.labels("failed").inc()
                    if not is_transient(error):
                        log.exception("reconcile_failed")
                    elif self._fault.is_news(type(error).__name__):
                        log.warning("reconcile_failed", error=str(error), kind=type(error).__name__)
        finally:
            if self._holding is not None:
                self._holding.terminate()
            await self._event_log.close()

    async def _holds_the_lock(self) -> bool:
        """On a connection of its own, which is kept: who dies gives it back."""
        if self._holding is not None:
            with suppress(Exception):
                await self._holding.execute("select 1", timeout=5)
                return True
            self._holding.terminate()
            self._holding = None
        connection = await connect(self._settings.system_database_url, timeout=10, command_timeout=10)
        if await connection.fetchval(_LOCK):
            self._holding = connection
        else:
            await connection.close(timeout=5)
        return self._holding is not None

    async def _run_once(self) -> None:
        tally, allowance = Tally(), Allowance(self._settings.reconcile_max_repairs)
        try:
            for principal in await tenants(self._runtime.system):
                states = self._reconciler.states(principal)
                try:
                    chosen = await sample(
                        self._runtime.database, states, principal, self._settings.reconcile_sample_size
                    )
                except UpstreamUnavailable as error:
                    tally.unjudged, tally.reason = tally.unjudged + 1, str(error)
                    continue
                await reconcile(self._reconciler, principal, _each(chosen), allowance, tally)
        except (ConsumerBehind, EventLogError) as error:
            tally.unjudged, tally.reason = tally.unjudged + 1, str(error)
        if tally.unjudged:
            metrics.RUNS.labels("incomplete").inc()
            log.warning("reconcile_incomplete", unjudged=tally.unjudged, reason=tally.reason)
        else:
            metrics.RUNS.labels("done").inc()
            metrics.LAST_RUN.set_to_current_time()
            self._fault.is_over()
        if unrepaired := [one for one in tally.findings if not one.repaired]:
            log.error("drift_not_repaired", subjects=len(unrepaired), allowed=self._settings.reconcile_max_repairs)


async def _each(customers: list[str]) -> AsyncIterator[str]:
    for one in customers:
        yield one
