"""Forgets the file of an import after its time."""

from collections.abc import Mapping
from datetime import datetime

from crm_kit.db.session import WriteSession
from crm_kit.settings import ServiceSettings
from crm_kit.timers import TimerHandler
from pydantic import JsonValue

from contacts_svc.features.import_rows.repository import forget_file, forget_results
from contacts_svc.features.imports.usecases import FORGET_IMPORT


async def _forget(session: WriteSession, import_id: str, _payload: Mapping[str, JsonValue]) -> datetime | None:
    await forget_file(session, import_id)
    await forget_results(session, import_id)
    return None


def timers(_settings: ServiceSettings) -> Mapping[str, TimerHandler]:
    return {FORGET_IMPORT: _forget}
