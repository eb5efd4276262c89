"""Tells of the dates of a day when it has come."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, cast

from crm_kit.db.session import WriteSession
from crm_kit.settings import ServiceSettings
from crm_kit.timers import TimerHandler
from pydantic import JsonValue

from contacts_svc.features.date_reminders.rules import REMINDER
from contacts_svc.features.date_reminders.usecases import Step, come_due


async def remind(session: WriteSession, key: str, payload: Mapping[str, JsonValue]) -> datetime | None:
    """One step in one transaction, with where to go on: who dies in between repeats no more than it."""
    given = cast("Mapping[str, Any]", payload)
    return await come_due(session, key, Step(date.fromisoformat(given["day"]), given["after"], given["phase"]))


def timers(_settings: ServiceSettings) -> Mapping[str, TimerHandler]:
    return {REMINDER: remind}
