"""What is left to do after a segment was deleted."""

from collections.abc import Mapping
from datetime import datetime

from crm_kit.db.session import WriteSession
from crm_kit.settings import ServiceSettings
from crm_kit.timers import TimerHandler
from pydantic import JsonValue

from campaigns_svc.features.segments.rules import MEMBERS_REMOVAL
from campaigns_svc.features.segments.usecases import remove_members_of_deleted


async def remove_members(session: WriteSession, key: str, _payload: Mapping[str, JsonValue]) -> datetime | None:
    return await session.now() if await remove_members_of_deleted(session, key) else None


def timers(_settings: ServiceSettings) -> Mapping[str, TimerHandler]:
    return {MEMBERS_REMOVAL: remove_members}
