"""Doing a bulk change, page by page: each page, its events and how far it has come commit together."""

from typing import Final

from crm_kit.audit import entry, record
from crm_kit.db.models import utc_now
from crm_kit.db.session import WriteSession
from crm_kit.errors import Text
from crm_kit.http.principal import Principal
from crm_kit.jobs import JobKind, JobStatus, Progress

from contacts_svc.features.bulk_changes import repository
from contacts_svc.features.bulk_changes.errors import MoreThanExpected
from contacts_svc.features.bulk_changes.events import UNPUBLISHED
from contacts_svc.features.bulk_changes.models import BulkChangeRow
from contacts_svc.features.bulk_changes.resource import BULK_CHANGES
from contacts_svc.features.bulk_changes.usecases import BULK_JOB, RESOURCES, Work, change_page

_PAGE: Final = 200
"""Records of one transaction."""


async def _step(session: WriteSession, bulk_change_id: str, caller: Principal) -> Progress:
    row = await BULK_CHANGES.held(session, bulk_change_id)
    work = Work.of(row, row.created_at)
    row.status = "running"
    if row.total is None:
        await _begin(session, row, work)
        is_finished = False
    else:
        is_finished = await _change_some(session, row, work, caller)
    # Another version, of which no audit entry tells: that it was asked for is told, and what came of it will be.
    row.version += 1
    row.updated_at = utc_now()
    await session.flush()
    return Progress(row.done, row.total, is_finished)


async def _begin(session: WriteSession, row: BulkChangeRow, work: Work) -> None:
    row.total = len(work.ids) if work.ids is not None else await (await work.walk(session)).count(session)
    if row.at_most is not None and row.total > row.at_most:
        raise MoreThanExpected(
            Text(
                f"There are {row.total}, and at_most is {row.at_most}.",
                f"共 {row.total} 条，at_most 为 {row.at_most}。",
            ),
            members={"found": row.total},
        )


async def _change_some(session: WriteSession, row: BulkChangeRow, work: Work, caller: Principal) -> bool:
    """Whether that was all. The caller's rights count by whose the records are now."""
    walk = None
    if work.ids is not None:
        ids = [id_ for id_ in work.ids if row.place is None or id_ > row.place][:_PAGE]
        count = len(ids)
    else:
        walk = await work.walk(session)
        page = await walk.page(session, [row.place] if row.place is not None else None, _PAGE)
        ids, count = [each.id for each in page.rows], page.count
        row.place = page.place[0] if page.place else row.place
    if ids:
        came = await change_page(session, work, ids, walk, caller)
        problems = {id_: problem.body(row.language) for id_, problem in came.problems.items()}
        await repository.add_failures(session, row.id, problems)
        row.changed, row.unchanged = row.changed + came.changed, row.unchanged + came.unchanged
        row.passed, row.failed = row.passed + came.passed, row.failed + len(problems)
        row.place = max(row.place or "", ids[-1])
    row.done += count
    row.total = max(row.total or 0, row.done)
    return count < _PAGE


async def _ended(session: WriteSession, bulk_change_id: str, status: JobStatus) -> None:
    row = await BULK_CHANGES.held(session, bulk_change_id)
    before = UNPUBLISHED.snapshot(row)
    row.status = status
    told = {name: getattr(row, name) for name in ("action", "where", "changed", "unchanged", "passed", "failed")}
    details = {"bulk_change": row.id, "status": status, "members": sorted(row.patch or ()), **told}
    await record(session, [entry(RESOURCES[row.resource].singular, "bulk_changed", details=details)])
    await UNPUBLISHED.updated(session, row, before)


JOBS: Final = (JobKind(BULK_JOB, _step, _ended),)
