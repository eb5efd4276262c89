"""Moves records out of the stages that are replaced."""

from collections.abc import Mapping
from datetime import datetime

from crm_kit.db.session import WriteSession
from crm_kit.settings import ServiceSettings
from crm_kit.timers import TimerHandler
from pydantic import JsonValue

from contacts_svc.features.lifecycle.rules import REPLACEMENT
from contacts_svc.features.lifecycle.usecases import replace_some


async def replace(session: WriteSession, _key: str, _payload: Mapping[str, JsonValue]) -> datetime | None:
    """One step in one transaction: who dies in between repeats no more than it."""
    pause = await replace_some(session)
    return await session.now() + pause if pause is not None else None


def timers(_settings: ServiceSettings) -> Mapping[str, TimerHandler]:
    return {REPLACEMENT: replace}
