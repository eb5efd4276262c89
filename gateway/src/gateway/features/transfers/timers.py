"""Moves the records."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, cast

from crm_kit.db.session import WriteSession
from crm_kit.settings import ServiceSettings
from crm_kit.timers import Conclusion, Outside, TimerHandler
from pydantic import JsonValue

from gateway.features.transfers.moving import Mover
from gateway.features.transfers.rules import RUN_TRANSFER
from gateway.features.transfers.usecases import begin_step, conclude_step
from gateway.settings import GatewaySettings
from gateway.upstream import ServiceClient

_STEP_SECONDS: Final = 10.0
"""For a service to answer: a page is small."""

_LEASE: Final = timedelta(seconds=1.5 * _STEP_SECONDS)
"""So long after a crash another process goes on."""


def timers(settings: ServiceSettings) -> Mapping[str, TimerHandler]:
    gateway = cast("GatewaySettings", settings)

    async def run(session: WriteSession, key: str, _payload: Mapping[str, JsonValue]) -> datetime | Outside | None:
        work = await begin_step(session, key)
        if work is None:
            return None

        async def act() -> Conclusion:
            client = ServiceClient(gateway, gateway.mint())
            try:
                step = await Mover(client, work, seconds=_STEP_SECONDS).step()
            finally:
                await client.close()

            async def conclude(session: WriteSession) -> datetime | None:
                return await session.now() if await conclude_step(session, key, step) else None

            return conclude

        return Outside(act, _LEASE)

    return {RUN_TRANSFER: run}
