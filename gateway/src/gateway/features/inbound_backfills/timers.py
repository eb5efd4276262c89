"""Asks shops for what has changed, as often as their sources say."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from crm_kit.db.session import WriteSession
from crm_kit.settings import ServiceSettings
from crm_kit.timers import TimerHandler
from pydantic import JsonValue

from gateway.features.inbound_backfills.usecases import start_scheduled
from gateway.features.inbound_sources import repository as sources
from gateway.features.inbound_sources.pulls import PULL_SOURCE


def timers(_settings: ServiceSettings) -> Mapping[str, TimerHandler]:
    async def run(session: WriteSession, source_id: str, _payload: Mapping[str, JsonValue]) -> datetime | None:
        row = await sources.of_id(session, source_id)
        if row is None or not row.is_active or row.pull is None or row.pull["every_seconds"] is None:
            return None
        await start_scheduled(session, row)
        return await session.now() + timedelta(seconds=row.pull["every_seconds"])

    return {PULL_SOURCE: run}
