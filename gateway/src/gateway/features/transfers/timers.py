"""Moves the records."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import cast

from crm_kit.db.session import WriteSession
from crm_kit.settings import ServiceSettings
from crm_kit.timers import Conclusion, Outside, TimerHandler
from pydantic import JsonValue

from gateway.features.transfers.moving import Mover
from gateway.features.transfers.rules import RUN_TRANSFER
from gateway.features.transfers.usecases import begin_step, conclude_step
from gateway.settings import GatewaySettings
from gateway.upstream import ServiceClient


def timers(settings: ServiceSettings) -> Mapping[str, TimerHandler]:
    gateway = cast("GatewaySettings", settings)
    seconds = gateway.upstream_read_seconds

    async def run(session: WriteSession, key: str, _payload: Mapping[str, JsonValue]) -> datetime | Outside | None:
        work = await begin_step(session, key)
        if work is None:
            return None

        async def act() -> Conclusion:
            client = ServiceClient(gateway, gateway.mint())
            try:
                step = await Mover(client, work, seconds=seconds).step()
            finally:
                await client.close()

            async def conclude(session: WriteSession) -> datetime | None:
                return await session.now() if await conclude_step(session, key, step) else None

            return conclude

        return Outside(act, timedelta(seconds=2 * seconds))

    return {RUN_TRANSFER: run}
