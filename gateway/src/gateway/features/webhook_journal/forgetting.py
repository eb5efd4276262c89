"""Forgets events that have been kept for long enough."""

import asyncio
from typing import Final, cast

import structlog
from crm_kit.runtime import Runtime

from gateway.features.webhook_journal import repository
from gateway.settings import GatewaySettings

_PAUSE_SECONDS: Final = 300.0

log = structlog.get_logger(__name__)


async def forget_old(runtime: Runtime) -> None:
    """Until cancelled; survives whatever fails."""
    days = cast("GatewaySettings", runtime.settings).webhook_retention_days
    while True:
        gone = 0
        try:
            async with runtime.system.write(None) as session:
                gone = await repository.forget_old(session, days)
        except Exception as error:
            log.warning("webhook_journal_not_shortened", error=str(error), kind=type(error).__name__)
        await asyncio.sleep(0.05 if gone else _PAUSE_SECONDS)
