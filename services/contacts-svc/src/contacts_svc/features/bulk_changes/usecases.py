"""What can be done with a bulk change: show what it would do, start it, forget it; and its work on a page of records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from crm_contracts.ids import BulkChangeId
from crm_kit.audit.changes import differing, members_of
from crm_kit.db.models import columns, utc_now
from crm_kit.db.rows import new_row
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.errors import Conflict, NotFound, PreconditionFailed, Problem, Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.http.problems import validation_problem
from crm_kit.http.route import require
from crm_kit.jobs import start_job
from crm_kit.resources import Resource, Size, Walk, access, change, merge_patch_type
from crm_kit.timers import set_timer
from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError

from contacts_svc.features.accounts.resource import ACCOUNTS
from contacts_svc.features.archiving.usecases import archive, restore
from contacts_svc.features.bulk_changes import repository
from contacts_svc.features.bulk_changes.errors import BulkChangeBusy
from contacts_svc.features.bulk_changes.events import UNPUBLISHED
from contacts_svc.features.bulk_changes.models import BulkChangeRow
from contacts_svc.features.bulk_changes.rules import NEEDS, BulkAction, condition_for, tagged
from contacts_svc.features.bulk_changes.schemas import BulkChange, BulkChangeWrite, BulkPreview, PreviewedChange
from contacts_svc.features.contacts.resource import CONTACTS

BULK_JOB: Final = "bulk_change"
FORGET: Final = "forget_bulk_change"
RESOURCES: Final[Mapping[str, Resource[Any, Any, Any]]] = {"contacts": CONTACTS, "accounts": ACCOUNTS}

_KEPT: Final = timedelta(days=30)
_SAMPLE: Final = 10
_TOGETHER: Final = 50
"""Records behind one savepoint, as in a batch: of these each is changed by itself where one of them fails."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is done to which records, as a request or a row says it. `now`: what the condition counts back from."""

    resource: Resource[Any, Any, Any]
    action: BulkAction
    where: Mapping[str, Any] | None
    ids: Sequence[str] | None
    versions: Mapping[str, int]
    patch: Mapping[str, Any] | None
    add_tags: Sequence[str]
    remove_tags: Sequence[str]
    now: datetime

    @classmethod
    def of(cls, asked: BulkChangeWrite | BulkChangeRow, now: datetime) -> "Work":
        action: Any = asked.action
        ids = sorted(asked.ids) if asked.ids is not None else None
        return cls(
            RESOURCES[asked.resource],
            action,
            asked.where,
            ids,
            asked.versions,
            asked.patch,
            asked.add_tags,
            asked.remove_tags,
            now,
        )

    async def walk(self, session: ReadSession) -> Walk:
        """The records that its condition finds, of those that were there when it was asked for.

        Raises ValidationFailed, Forbidden.
        """
        walk = await Walk.of(session, self.resource, condition_for(self.action, self.where or {}), (), self.now)
        return replace(walk, statement=walk.statement.where(columns(self.resource.row).created_at <= self.now))


@dataclass(slots=True)
class Came:
    """What came of a page. `problems`: by the id of the record that was not changed."""

    problems: dict[str, Problem]
    changed: int = 0
    unchanged: int = 0
    passed: int = 0


async def preview(session: WriteSession, data: BulkChangeWrite, caller: Principal, language: str) -> BulkPreview:
    """Raises ValidationFailed, Forbidden."""
    work = _checked(data, caller)
    if work.ids is not None:
        found, ids = Size(count=len(work.ids), kind="exact"), list(work.ids[:_SAMPLE])
    else:
        walk = await work.walk(session)
        found = await walk.size(session)
        ids = [row.id for row in (await walk.page(session, None, _SAMPLE)).rows]
    sample = [each for id_ in ids if (each := await _shown(session, work, id_, caller, language)) is not None]
    return BulkPreview(found=found, sample=sample)


async def create_bulk_change(
    session: WriteSession, data: BulkChangeWrite, caller: Principal, language: str
) -> BulkChange:
    """It begins at once. Raises ValidationFailed, Forbidden."""
    work = _checked(data, caller)
    if work.where is not None:
        await work.walk(session)
    bulk_change_id = BulkChangeId.new()
    row = new_row(
        BulkChangeRow,
        id=bulk_change_id,
        created_at=work.now,
        updated_at=work.now,
        language=language,
        job_id=await start_job(session, BULK_JOB, bulk_change_id, caller),
        requested_by=caller.subject,
        forgotten_at=work.now + _KEPT,
        **data.model_dump(mode="json"),
    )
    await set_timer(session, FORGET, bulk_change_id, row.forgotten_at)
    return await UNPUBLISHED.created(session, row)


async def delete_bulk_change(session: WriteSession, row: BulkChangeRow, _caller: Principal) -> None:
    """What it did stays done. Raises BulkChangeBusy."""
    if row.status in ("pending", "running"):
        raise BulkChangeBusy(members={"job_id": row.job_id})
    await repository.forget_failures(session, row.id)
    await UNPUBLISHED.deleted(session, row)


async def forget_bulk_change(session: WriteSession, row: BulkChangeRow) -> None:
    """That it was, and how many it changed, stays; what it was asked for by, and what failed, may name a person."""
    before = UNPUBLISHED.snapshot(row)
    await repository.forget_failures(session, row.id)
    row.where, row.ids, row.versions, row.patch = None, None, {}, None
    await UNPUBLISHED.updated(session, row, before)


async def change_page(
    session: WriteSession, work: Work, ids: Sequence[str], walk: Walk | None, caller: Principal
) -> Came:
    """Changes these records, as they are once they are locked; of a walk those that it still comes by."""
    rows = await work.resource.lock_all(session, ids)
    came = Came({})
    if walk is not None:
        still = await walk.among(session, ids)
        came.passed = len(ids) - len(still)
        ids = [id_ for id_ in ids if id_ in still]
    allowed = await access.look_at(session, work.resource, list(rows), NEEDS[work.action])
    for start in range(0, len(ids), _TOGETHER):
        some = ids[start : start + _TOGETHER]
        try:
            async with session.savepoint(), session.gathered():
                changed = 0
                for id_ in some:
                    if id_ not in allowed:
                        raise NotFound  # or Forbidden: by itself it is told which
                    changed += await _change(session, work, rows[id_], caller)
        except (Problem, IntegrityError):
            await _one_by_one(session, work, some, caller, came)
        else:
            came.changed += changed
            came.unchanged += len(some) - changed
    return came


async def _one_by_one(session: WriteSession, work: Work, ids: Sequence[str], caller: Principal, came: Came) -> None:
    for id_ in ids:
        try:
            async with session.savepoint():
                row = await work.resource.lock(session, id_, NEEDS[work.action])
                changed = await _change(session, work, row, caller)
        except Problem as problem:
            came.problems[id_] = problem
        except IntegrityError:
            came.problems[id_] = Conflict()
        else:
            came.changed += changed
            came.unchanged += not changed


async def _change(session: WriteSession, work: Work, row: Any, caller: Principal) -> bool:
    """Whether it was not so already. Raises Problem."""
    wanted = work.versions.get(row.id, row.version)
    if wanted != row.version:
        raise PreconditionFailed(
            Text(f"The present version is {row.version}.", f"当前版本为 {row.version}。"),
            members={"current_version": row.version},
        )
    version = row.version
    match work.action:
        case "update":
            await change(session, work.resource, row, work.patch or {}, caller)
        case "tag":
            tags = tagged(row.tags, work.add_tags, work.remove_tags)
            await change(session, work.resource, row, {"tags": list(tags)}, caller)
        case "archive":
            await archive(session, work.resource, row, caller)
        case "restore":
            await restore(session, work.resource, row, caller)
        case "delete":
            assert work.resource.delete is not None, "both can be deleted"
            await work.resource.delete(session, row, caller)
            return True
    return bool(row.version != version)


class _OnlyShown(Exception):
    """Undoes what a preview has tried."""


async def _shown(
    session: WriteSession, work: Work, id_: str, caller: Principal, language: str
) -> PreviewedChange | None:
    """None where there is no such record that the caller sees."""
    try:
        row = await work.resource.get(session, id_)
    except Problem:
        return None
    before = after = work.resource.events.snapshot(row)
    problem: Problem | None = None
    try:
        async with session.savepoint():
            row = await work.resource.lock(session, id_, NEEDS[work.action])
            await _change(session, work, row, caller)
            await session.flush()
            after = work.resource.events.snapshot(row)
            raise _OnlyShown
    except _OnlyShown:
        pass
    except Problem as raised:
        problem = raised
    except IntegrityError:
        problem = Conflict()
    is_there = problem is None and work.action != "delete"
    return PreviewedChange(
        before=before,
        after=after if is_there else None,
        changed=differing(members_of(before), members_of(after)) if is_there else [],
        problem=problem.body(language) if problem is not None else None,
    )


def _checked(data: BulkChangeWrite, caller: Principal) -> Work:
    """Raises ValidationFailed for what no record could be changed by, and Forbidden."""
    work = Work.of(data, utc_now())
    require(caller, f"{work.resource.permission}:read")
    require(caller, f"{work.resource.permission}:{NEEDS[work.action]}")
    try:
        write: Any = work.resource.write
        merge_patch_type(write).model.model_validate(dict(work.patch or {}))
    except ValidationError as error:
        faults = [fault.below("/patch") for fault in validation_problem(error.errors()).errors]
        text = Text("The patch is not valid; see errors.", "patch 无效，见 errors。")
        raise ValidationFailed(text, errors=faults) from error
    return work
