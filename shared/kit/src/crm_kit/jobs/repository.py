"""Every statement about jobs."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from crm_contracts.ids import JobId, prefix_of
from sqlalchemy import ColumnElement, Select, func, insert, select, true, update

from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.jobs.schemas import OVER, About, Job, JobProgress, JobQuery
from crm_kit.jobs.tables import JOB

_j = JOB.c

Row = Any
"""A row of JOB."""


def told(row: Row, service: str) -> Job:
    return Job(
        id=row.id,
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
        service=service,
        kind=row.kind,
        about=About(type=prefix_of(row.about) or "", id=row.about),
        status=row.status,
        progress=JobProgress(done=row.done, total=row.total),
        error=row.error,
        requested_by=row.requested_by,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def _visible(session: ReadSession) -> ColumnElement[bool]:
    """To whoever asked for it; and to who is bounded by no rights of their own, or administers access."""
    sights = session.sights
    if sights is None or sights.rights.admin:
        return true()
    return _j.requested_by == sights.rights.user_id


async def page(session: ReadSession, service: str, query: JobQuery) -> list[Job]:
    """Newest first: ids are made in the order of time, in all services alike."""
    statement: Select[Any] = select(JOB).where(_visible(session)).order_by(_j.id.desc()).limit(query.limit)
    if query.before is not None:
        statement = statement.where(_j.id < query.before)
    for name in ("status", "kind", "about"):
        if (wanted := getattr(query, name)) is not None:
            statement = statement.where(_j[name] == wanted)
    return [told(row, service) for row in await session.execute(statement)]


async def find(session: ReadSession, job_id: str) -> Row | None:
    """None too for what is no id, and for what the caller may not see."""
    if prefix_of(job_id) != JobId.prefix:
        return None
    return (await session.execute(select(JOB).where(_j.id == job_id, _visible(session)))).one_or_none()


async def kinds_of(session: ReadSession, job_ids: Collection[str]) -> Mapping[str, tuple[str, str]]:
    """Of jobs, whoever asked for them: the kind, and the id of what they work on."""
    if not job_ids:
        return {}
    rows = await session.execute(select(_j.id, _j.kind, _j.about).where(_j.id.in_(job_ids)))
    return {row.id: (row.kind, row.about) for row in rows}


async def open_among(session: ReadSession, job_ids: Collection[str]) -> Sequence[str]:
    """Those of the jobs that have not ended, whoever asked for them, in one order."""
    if not job_ids:
        return []
    statement = select(_j.id).where(_j.id.in_(job_ids), _j.status.not_in(OVER)).order_by(_j.id)
    return (await session.scalars(statement)).all()


async def lock(session: WriteSession, job_id: str) -> Row | None:
    """As `find`, locked until the transaction ends."""
    if prefix_of(job_id) != JobId.prefix:
        return None
    statement = select(JOB).where(_j.id == job_id, _visible(session)).with_for_update()
    return (await session.execute(statement)).one_or_none()


async def add(session: WriteSession, **values: Any) -> Row:
    statement = insert(JOB).values(tenant_id=session.tenant_id, **values).returning(JOB)
    return (await session.execute(statement)).one()


async def change(session: WriteSession, job_id: str, **values: Any) -> Row:
    """Its next version."""
    changed = {"version": _j.version + 1, "updated_at": func.clock_timestamp(), **values}
    return (await session.execute(update(JOB).where(_j.id == job_id).values(changed).returning(JOB))).one()
