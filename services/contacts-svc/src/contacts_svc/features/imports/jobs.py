"""Taking the rows of an import in, and back, page by page."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from crm_kit.db.models import utc_now
from crm_kit.db.session import WriteSession
from crm_kit.errors import Problem
from crm_kit.http.principal import Principal
from crm_kit.jobs import JobKind, JobStatus, Progress
from crm_kit.resources import change

from contacts_svc.features.duplicates.errors import DuplicateContacts
from contacts_svc.features.import_files.usecases import OpenTables
from contacts_svc.features.import_references.usecases import RESOURCES, find_account, is_planned
from contacts_svc.features.import_reverts.usecases import take_back
from contacts_svc.features.import_rows import repository as rows
from contacts_svc.features.import_rows.models import ImportResultRow
from contacts_svc.features.import_rows.schemas import Result
from contacts_svc.features.import_rows.usecases import changed, said_of, take_in
from contacts_svc.features.imports.events import UNPUBLISHED
from contacts_svc.features.imports.models import ImportRow
from contacts_svc.features.imports.resource import IMPORTS
from contacts_svc.features.imports.usecases import IMPORT_JOB, REVERT_JOB, terms_of

_PAGE: Final = 500
"""Rows of one transaction."""

_SMALL_PAGE: Final = 50
"""For callers who do not see everything: each row is looked at by itself, behind a savepoint of its own."""

_TAKEN_BACK_IN_TURN: Final = ("contacts", "accounts")
"""What belongs to others before these."""

_TABLES: Final = OpenTables()


def _came_on(row: ImportRow) -> None:
    """It is another version, of which no audit entry tells: that it was run is told, and what came of it will be."""
    row.version += 1
    row.updated_at = utc_now()


def _counted(counts: Mapping[str, int], more: Iterable[str]) -> dict[str, Any]:
    return dict(Counter(counts) + Counter(more))


async def _import_step(session: WriteSession, import_id: str, caller: Principal) -> Progress:
    row = await IMPORTS.held(session, import_id)
    row.status = "running"
    if row.is_read:
        is_finished = await _link_page(session, row, caller)
    else:
        is_finished = await _read_page(session, row, caller)
    _came_on(row)
    await session.flush()
    return Progress(row.done, row.rows, is_finished)


async def _read_page(session: WriteSession, row: ImportRow, caller: Principal) -> bool:
    """Whether that was all, and nothing refers to what came later in the file."""
    table = await _TABLES.of(session, row)
    size = _PAGE if session.sights is None else _SMALL_PAGE
    page = table.take(size)
    if page:
        results = await take_in(session, await terms_of(session, row), page, caller)
        await rows.add_results(session, [result.stored(row.id) for result in results])
        names = [result.outcome if result.place == 0 else "accounts_created" for result in results]
        unlinked = ["unlinked" for result in results if result.reference is not None]
        likely = [
            "probable_duplicates" for result in results if (result.problem or {}).get("code") == DuplicateContacts.code
        ]
        row.counts = _counted(row.counts, [*names, *unlinked, *likely])
        row.position, row.done = page[-1].number, row.done + len(page)
    if len(page) < size:
        row.is_read = True
        _TABLES.close(row.id)
    return row.is_read and not row.counts.get("unlinked")


async def _link_page(session: WriteSession, row: ImportRow, caller: Principal) -> bool:
    """Whether all that referred to what came later in the file has been looked at once more."""
    page = await rows.unlinked(session, row.id, row.linked, _SMALL_PAGE)
    linked = 0
    for result in page:
        linked += await _link(session, row, result, caller)
    row.counts = {**row.counts, "unlinked": row.counts.get("unlinked", 0) - linked}
    row.linked = page[-1].row if page else row.linked
    return len(page) < _SMALL_PAGE


async def _link(session: WriteSession, row: ImportRow, result: ImportResultRow, caller: Principal) -> int:
    """1 where it could be linked now."""
    resource = RESOURCES[result.resource]  # type: ignore[index]  # what was stored is one of them
    try:
        async with session.savepoint():
            account_id = await find_account(session, result.reference or {})
            if row.dry_run:
                return int(account_id is not None or await is_planned(session, row.id, result.reference or {}))
            if account_id is None or result.entity_id is None or account_id == result.entity_id:
                return 0
            stored = await resource.lock(session, result.entity_id)
            member = "account_id" if result.resource == "contacts" else "parent_id"
            said = said_of(resource, stored)
            await change(session, resource, stored, {member: account_id}, caller)
            came = changed(
                Result(result.row, result.resource, "unchanged", result.entity_id),
                said,
                said_of(resource, stored),
            )
    except Problem as problem:
        result.problem = problem.body(row.language)
        return 0
    result.reference = None
    if came.version is not None:
        result.version = came.version
        if result.outcome != "created":
            result.before = {**(came.before or {}), **(result.before or {})}
            result.after = {**(result.after or {}), **(came.after or {})}
            result.outcome = "updated"
    return 1


async def _import_ended(session: WriteSession, import_id: str, status: JobStatus) -> None:
    row = await IMPORTS.held(session, import_id)
    before = UNPUBLISHED.snapshot(row)
    row.status = "planned" if status == "succeeded" and row.dry_run else status
    _TABLES.close(import_id)
    await UNPUBLISHED.updated(session, row, before)


async def _revert_step(session: WriteSession, import_id: str, caller: Principal) -> Progress:
    row = await IMPORTS.held(session, import_id)
    resource = _TAKEN_BACK_IN_TURN[row.revert_turn]
    page = await rows.done_before(session, row.id, resource, row.reverted_to, _SMALL_PAGE)
    came = await take_back(session, row.id, page, caller)
    row.reverted = _counted(row.reverted or {}, came)
    if page:
        row.reverted_to = page[-1].row * 2 + page[-1].place
    is_finished = False
    if len(page) < _SMALL_PAGE:
        is_finished = resource == _TAKEN_BACK_IN_TURN[-1]
        row.revert_turn, row.reverted_to = (
            (row.revert_turn, row.reverted_to) if is_finished else (row.revert_turn + 1, None)
        )
    _came_on(row)
    await session.flush()
    total = sum(row.counts.get(name, 0) for name in ("created", "updated", "accounts_created"))
    return Progress(min(sum(row.reverted.values()), total), total, is_finished)


async def _revert_ended(session: WriteSession, import_id: str, status: JobStatus) -> None:
    """A revert that was stopped may be asked for again."""
    row = await IMPORTS.held(session, import_id)
    before = UNPUBLISHED.snapshot(row)
    row.status = "reverted" if status == "succeeded" else "succeeded"
    await UNPUBLISHED.updated(session, row, before)


JOBS: Final = (
    JobKind(IMPORT_JOB, _import_step, _import_ended),
    JobKind(REVERT_JOB, _revert_step, _revert_ended),
)
