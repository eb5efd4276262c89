"""Reconcile: samples customers, compares their views with the services, repairs what has drifted and counts it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from crm_kit.bus import open_event_log
from crm_kit.manifest import Feature
from crm_kit.runtime import Runtime
from fastapi import FastAPI

from gateway.features.reconcile.command import COMMAND
from gateway.features.reconcile.job import ReconcileJob
from gateway.features.reconcile.reconciler import Reconciler
from gateway.settings import GatewaySettings

__all__ = ["COMMAND", "FEATURE"]


@asynccontextmanager
async def _lifespan(app: FastAPI, runtime: Runtime) -> AsyncIterator[None]:
    settings = runtime.settings
    assert isinstance(settings, GatewaySettings), "the gateway's manifest names its settings"
    if "timers" not in runtime.roles or settings.reconcile_interval_seconds == 0:
        yield
        return
    # Its own: that of the process is started only where it relays or consumes.
    event_log = open_event_log(settings)
    state = app.state
    reconciler = Reconciler(
        runtime.database, state.services, state.live_composer, event_log, seconds=settings.reconcile_wait_seconds
    )
    running = asyncio.create_task(ReconcileJob(runtime, settings, reconciler, event_log).run(), name="reconcile")
    try:
        yield
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


FEATURE = Feature(lifespan=_lifespan)
"""After the customers: it uses what they hold open."""
