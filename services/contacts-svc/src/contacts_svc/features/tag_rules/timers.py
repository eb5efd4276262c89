"""Holds contacts against the rules: all of them after a rule has changed, and some as time passes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from crm_kit.db.session import WriteSession
from crm_kit.settings import ServiceSettings
from crm_kit.timers import TimerHandler, set_timer
from pydantic import JsonValue

from contacts_svc.features.tag_rules.rules import DUE, EVALUATION
from contacts_svc.features.tag_rules.usecases import Step, evaluate_some, follow_time


async def evaluate(session: WriteSession, key: str, payload: Mapping[str, JsonValue]) -> datetime | None:
    """One step in one transaction, with where to go on: who dies in between repeats no more than it."""
    given = cast("Mapping[str, Any]", payload)
    left = await evaluate_some(session, Step(given["after"], given["evaluated"]))
    if left is None:
        return None
    then, pause = left
    due_at = await session.now() + pause
    await set_timer(session, EVALUATION, key, due_at, {**payload, **then._asdict()})
    return due_at


async def pass_time(session: WriteSession, _key: str, _payload: Mapping[str, JsonValue]) -> datetime | None:
    return await follow_time(session)


def timers(_settings: ServiceSettings) -> Mapping[str, TimerHandler]:
    return {EVALUATION: evaluate, DUE: pass_time}
