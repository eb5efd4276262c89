"""Forgets the archive of an export after its time."""

from collections.abc import Mapping
from datetime import datetime

from crm_kit.db.session import WriteSession
from crm_kit.settings import ServiceSettings
from crm_kit.timers import TimerHandler
from pydantic import JsonValue

from contacts_svc.features.privacy_requests import repository
from contacts_svc.features.privacy_requests.usecases import FORGET_ARCHIVE, forget_archive


async def _forget(session: WriteSession, request_id: str, _payload: Mapping[str, JsonValue]) -> datetime | None:
    row = (await repository.lock_all(session, [request_id])).get(request_id)
    if row is not None:
        await forget_archive(session, row)
    return None


def timers(_settings: ServiceSettings) -> Mapping[str, TimerHandler]:
    return {FORGET_ARCHIVE: _forget}
