"""Takes away what is left of the relationships of a contact or account that is deleted."""

from collections.abc import Mapping
from datetime import datetime

from crm_kit.db.session import WriteSession
from crm_kit.settings import ServiceSettings
from crm_kit.timers import TimerHandler
from pydantic import JsonValue

from contacts_svc.features.relating.rules import GONE
from contacts_svc.features.relating.usecases import forget_some


async def forget(session: WriteSession, key: str, _payload: Mapping[str, JsonValue]) -> datetime | None:
    """One step in one transaction: who dies in between repeats no more than it."""
    return await session.now() if await forget_some(session, key) else None


def timers(_settings: ServiceSettings) -> Mapping[str, TimerHandler]:
    return {GONE: forget}
