"""An invoice whose last day has passed is overdue from then on."""

from collections.abc import Mapping
from datetime import datetime

from crm_kit.db.session import WriteSession
from crm_kit.settings import ServiceSettings
from crm_kit.timers import TimerHandler
from pydantic import JsonValue

from pipeline_svc.features.invoices.resource import INVOICES
from pipeline_svc.features.invoices.usecases import OVERDUE, look_at_day


def timers(_settings: ServiceSettings) -> Mapping[str, TimerHandler]:
    return {OVERDUE: _look}


async def _look(session: WriteSession, key: str, _payload: Mapping[str, JsonValue]) -> datetime | None:
    """One that has moved its day meanwhile has moved its timer too."""
    for row in (await INVOICES.lock_all(session, [key])).values():
        await look_at_day(session, row)
    return None
