"""A scan's steps: those of `duplicates.jobs`, and then, where it was asked for, the merging of what is sure enough."""

from typing import Final

from crm_kit.db.models import utc_now
from crm_kit.db.session import WriteSession
from crm_kit.errors import Problem
from crm_kit.http.principal import Principal
from crm_kit.jobs import JobKind, JobStatus, Progress

from contacts_svc.features.duplicate_scans.events import UNPUBLISHED
from contacts_svc.features.duplicate_scans.models import DuplicateScanRow
from contacts_svc.features.duplicate_scans.resource import DUPLICATE_SCANS
from contacts_svc.features.duplicate_scans.usecases import SCAN_JOB
from contacts_svc.features.duplicates import repository
from contacts_svc.features.duplicates.jobs import Step, scan_some
from contacts_svc.features.duplicates.models import DuplicatePairRow
from contacts_svc.features.duplicates.usecases import duplicates_of_contact
from contacts_svc.features.merges.schemas import MergeWrite
from contacts_svc.features.merges.usecases import lock_for_merge, merge_contacts

_MERGED_AT_ONCE: Final = 20


async def _scan_step(session: WriteSession, scan_id: str, caller: Principal) -> Progress:
    row = await DUPLICATE_SCANS.held(session, scan_id)
    row.status = "running"
    if row.contacts is None:
        row.contacts = await repository.count_contacts(session)
    is_finished = await (_merge_some(session, row, caller) if row.phase == "merge" else _compare_some(session, row))
    row.version += 1
    row.updated_at = utc_now()
    await session.flush()
    return Progress(row.compared, row.contacts, is_finished)


async def _compare_some(session: WriteSession, row: DuplicateScanRow) -> bool:
    """Whether the scan is at its end."""
    step = await scan_some(session, Step(row.phase, row.position, row.compared))  # type: ignore[arg-type]  # as it was written
    if step is not None:
        row.phase, row.position, row.compared = step
    elif row.merge:
        row.phase, row.position = "merge", ""
    return step is None and not row.merge


async def _merge_some(session: WriteSession, row: DuplicateScanRow, caller: Principal) -> bool:
    pairs = await repository.mergeable(session, row.position, _MERGED_AT_ONCE)
    for pair in pairs:
        try:
            async with session.savepoint():
                merged = await _merge(session, pair, caller)
        except Problem:
            merged = False
        row.merged += merged
        row.refused += not merged
        row.position = pair.id
    return len(pairs) < _MERGED_AT_ONCE


async def _merge(session: WriteSession, pair: DuplicatePairRow, caller: Principal) -> bool:
    """False where they are not sure enough any more: one of them may have changed, or been merged, since they were compared.

    Raises Problem where one is gone, or the caller may not.
    """
    data = MergeWrite.model_validate({"from": [pair.newer_id]})
    rows = await lock_for_merge(session, pair.older_id, data.from_)
    now = await duplicates_of_contact(session, pair.older_id, least=pair.score / 2) or []
    if not any(each.row.id == pair.newer_id and each.said.may_merge for each in now):
        return False
    await merge_contacts(session, pair.older_id, rows, data, caller)
    return True


async def _scan_ended(session: WriteSession, scan_id: str, status: JobStatus) -> None:
    row = await DUPLICATE_SCANS.held(session, scan_id)
    before = UNPUBLISHED.snapshot(row)
    row.status = status
    await UNPUBLISHED.updated(session, row, before)


JOBS: Final = (JobKind(SCAN_JOB, _scan_step, _scan_ended),)
