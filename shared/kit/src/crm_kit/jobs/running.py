"""Runs jobs by timers: a step is a timer's run, so that effect, progress and what comes next commit together."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from pydantic import JsonValue
from sqlalchemy import func, select

from crm_kit import context
from crm_kit.db.session import WriteSession
from crm_kit.errors import InternalError, Problem, Text
from crm_kit.http.principal import Principal
from crm_kit.http.route import acting_as
from crm_kit.jobs import repository
from crm_kit.jobs.repository import Row
from crm_kit.jobs.schemas import OVER
from crm_kit.jobs.steps import JobKind, Step
from crm_kit.jobs.usecases import RUN_JOB, end_job, fail_job
from crm_kit.rights import Sights
from crm_kit.settings import ServiceSettings
from crm_kit.timers import Outside, TimerHandler
from crm_kit.timers.table import TIMER

_ATTEMPTS: Final = 6
"""Of one step, over about a minute: whatever is wrong then needs somebody to look at it."""

_GIVEN_UP: Final = Text("It failed several times; the error has been logged.", "多次失败，错误已记录。")
_OTHER_RELEASE: Final = timedelta(seconds=5)
"""Until somebody asks again who knows the kind: of a job that a newer release has begun."""


def job_timers(kinds: Mapping[str, JobKind], settings: ServiceSettings) -> Mapping[str, TimerHandler]:
    """The handler of all jobs of these kinds."""
    steps = {name: kind.steps(settings) for name, kind in kinds.items()}

    async def run(session: WriteSession, job_id: str, _payload: Mapping[str, JsonValue]) -> datetime | Outside | None:
        row = await repository.lock(session, job_id)
        if row is None or row.status in OVER:
            return None
        kind = kinds.get(row.kind)
        if kind is None:
            return await session.now() + _OTHER_RELEASE
        if await _attempts(session, job_id) >= _ATTEMPTS:
            await fail_job(session, kind, row, InternalError(_GIVEN_UP))
            return None
        caller = Principal.from_json(row.caller)
        # What is told of it then names the job, by which one finds what it was for.
        with context.use(acting_as(caller)._replace(request_id=row.id)):
            return await _step(session, kind, steps[kind.name], row, caller)

    return {RUN_JOB: run}


async def _step(
    session: WriteSession, kind: JobKind, step: Step, row: Row, caller: Principal
) -> datetime | Outside | None:
    try:
        async with session.savepoint():
            session.sights = Sights.of_caller(caller.rights)
            progress = await step(session, row.about, caller)
    except Problem as problem:
        session.sights = None
        await fail_job(session, kind, row, problem)
        return None
    session.sights = None
    if isinstance(progress, Outside):
        return progress
    came = {"done": progress.done, "total": progress.total, "started_at": row.started_at or func.clock_timestamp()}
    if progress.is_finished:
        await end_job(session, kind, row, "succeeded", **came)
        return None
    await repository.change(session, row.id, status="running", **came)
    return await session.now() + progress.pause


async def _attempts(session: WriteSession, job_id: str) -> int:
    """How often the step that is due was tried."""
    statement = select(TIMER.c.attempts).where(TIMER.c.kind == RUN_JOB, TIMER.c.key == job_id)
    return int(await session.scalar(statement) or 0)
