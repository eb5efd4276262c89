"""Forgets what a bulk change was asked for by, and what failed in it, after its time."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from crm_kit.db.session import WriteSession
from crm_kit.settings import ServiceSettings
from crm_kit.timers import TimerHandler
from pydantic import JsonValue

from contacts_svc.features.bulk_changes import repository
from contacts_svc.features.bulk_changes.usecases import FORGET, forget_bulk_change

_LATER: Final = timedelta(hours=1)
"""Where its job still runs."""


async def _forget(session: WriteSession, bulk_change_id: str, _payload: Mapping[str, JsonValue]) -> datetime | None:
    row = await repository.lock(session, bulk_change_id)
    if row is None:
        return None
    if row.status in ("pending", "running"):
        return await session.now() + _LATER
    await forget_bulk_change(session, row)
    return None


def timers(_settings: ServiceSettings) -> Mapping[str, TimerHandler]:
    return {FORGET: _forget}
