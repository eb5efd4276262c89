"""Starting, cancelling and ending jobs."""

from collections.abc import Sequence
from typing import Any

from crm_contracts.ids import JobId
from sqlalchemy import func

from crm_kit.db.session import WriteSession
from crm_kit.errors import Problem
from crm_kit.http.principal import Principal
from crm_kit.jobs import repository
from crm_kit.jobs.errors import JobOver
from crm_kit.jobs.repository import Row
from crm_kit.jobs.schemas import OVER, JobStatus
from crm_kit.jobs.steps import JobKind, Progress
from crm_kit.timers import set_timer, set_timers

RUN_JOB = "run_job"


async def start_job(session: WriteSession, kind: str, about: str, caller: Principal) -> JobId:
    """It begins once the transaction has committed, and goes on whatever process dies. `kind`: the name of a JobKind."""
    job_id = JobId.new()
    await repository.add(
        session, id=job_id, kind=kind, about=about, requested_by=caller.subject, caller=caller.as_json()
    )
    await set_timer(session, RUN_JOB, job_id, await session.now())
    return job_id


async def wake_jobs(session: WriteSession, job_ids: Sequence[str]) -> None:
    """Those of the jobs that have not ended do their next step now: what they wait for may have come."""
    now = await session.now()
    await set_timers(session, RUN_JOB, [(id_, now, {}) for id_ in await repository.open_among(session, job_ids)])


async def cancel_job(session: WriteSession, kind: JobKind, row: Row) -> Row:
    """What it did stays done. The job must be locked. Raises JobOver."""
    if row.status in OVER:
        raise JobOver
    return await end_job(session, kind, row, "cancelled")


async def end_job(session: WriteSession, kind: JobKind, row: Row, status: JobStatus, **values: Any) -> Row:
    await kind.ended(session, row.about, status)
    return await repository.change(session, row.id, status=status, finished_at=func.clock_timestamp(), **values)


async def lock_open(session: WriteSession, job_id: str) -> bool:
    """Locks it before what it works on, as its steps do; whether it has not ended."""
    row = await repository.lock(session, job_id)
    return row is not None and row.status not in OVER


async def tell_progress(session: WriteSession, job_id: str, progress: Progress) -> None:
    """By the conclusion of what a step did outside the database."""
    await repository.change(session, job_id, status="running", done=progress.done, total=progress.total)


async def fail_job(session: WriteSession, kind: JobKind, row: Row, problem: Problem) -> Row:
    return await end_job(session, kind, row, "failed", error=problem.body("en"))
