"""Carries rules out: each has a timer, which comes due once a day, and again for each page of a run."""

from collections.abc import Mapping
from datetime import datetime

from crm_kit.db.session import WriteSession
from crm_kit.settings import ServiceSettings
from crm_kit.timers import TimerHandler
from pydantic import JsonValue

from contacts_svc.features.retaining.usecases import RETAIN, carry_out


async def retain(session: WriteSession, key: str, _payload: Mapping[str, JsonValue]) -> datetime | None:
    """One page in one transaction, with how far the run has come: who dies in between repeats no more than it."""
    return await carry_out(session, key)


def timers(_settings: ServiceSettings) -> Mapping[str, TimerHandler]:
    return {RETAIN: retain}
