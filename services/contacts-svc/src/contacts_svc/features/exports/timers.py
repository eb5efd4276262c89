"""Forgets the file of an export after its time."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from crm_kit.db.session import WriteSession
from crm_kit.settings import ServiceSettings
from crm_kit.timers import TimerHandler
from pydantic import JsonValue

from contacts_svc.features.exports import repository
from contacts_svc.features.exports.usecases import BUSY, FORGET_EXPORT, forget_export

_LATER: Final = timedelta(hours=1)
"""Where its job still runs."""


async def _forget(session: WriteSession, export_id: str, _payload: Mapping[str, JsonValue]) -> datetime | None:
    row = await repository.lock(session, export_id)
    if row is None:
        return None
    if row.status in BUSY:
        return await session.now() + _LATER
    await forget_export(session, row)
    return None


def timers(_settings: ServiceSettings) -> Mapping[str, TimerHandler]:
    return {FORGET_EXPORT: _forget}
