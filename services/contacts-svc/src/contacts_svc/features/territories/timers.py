"""Holds existing records against the territories after one has changed."""

from collections.abc import Mapping
from datetime import datetime
from typing import cast

from crm_contracts.contacts import TerritoryResource
from crm_kit.db.session import WriteSession
from crm_kit.settings import ServiceSettings
from crm_kit.timers import TimerHandler, set_timer
from pydantic import JsonValue

from contacts_svc.features.territories.rules import EVALUATION
from contacts_svc.features.territories.usecases import Step, evaluate_some


async def evaluate(session: WriteSession, key: str, payload: Mapping[str, JsonValue]) -> datetime | None:
    """One step in one transaction, with where to go on: who dies in between repeats no more than it."""
    step = Step(cast(TerritoryResource, payload["resource"]), cast(str, payload["after"]))
    left = await evaluate_some(session, step)
    if left is None:
        return None
    then, pause = left
    due_at = await session.now() + pause
    await set_timer(session, EVALUATION, key, due_at, {**payload, **then._asdict()})
    return due_at


def timers(_settings: ServiceSettings) -> Mapping[str, TimerHandler]:
    return {EVALUATION: evaluate}
