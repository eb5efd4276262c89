"""Contacts go back into their pools when nothing was done with them for too long."""

from collections.abc import Mapping
from datetime import datetime

from crm_kit.db.session import WriteSession
from crm_kit.settings import ServiceSettings
from crm_kit.timers import TimerHandler
from pydantic import JsonValue

from contacts_svc.features.claims.usecases import return_if_idle
from contacts_svc.features.pooling.rules import RETURN


async def give_back(session: WriteSession, key: str, _payload: Mapping[str, JsonValue]) -> datetime | None:
    return await return_if_idle(session, key)


def timers(_settings: ServiceSettings) -> Mapping[str, TimerHandler]:
    return {RETURN: give_back}
