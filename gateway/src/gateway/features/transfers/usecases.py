"""What can be done with a transfer, and how far it has come."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from crm_contracts.ids import TransferId, prefix_of
from crm_kit.conditions import InvalidCondition, parse
from crm_kit.custom_fields import copied_custom_fields
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.http.route import require
from crm_kit.resources.listing import condition_problem
from crm_kit.timers import set_timer
from sqlalchemy import select

from gateway.documents.fields import fields_of
from gateway.features.api_keys.rights import principal_of_key
from gateway.features.roles.resources import resource_of
from gateway.features.teams import repository as teams
from gateway.features.transfers.errors import TransferOver
from gateway.features.transfers.events import UNPUBLISHED
from gateway.features.transfers.models import TransferRow
from gateway.features.transfers.rules import MAX_FAULTS, OVER, RUN_TRANSFER, TASKS, Task, first_tasks
from gateway.features.transfers.schemas import Transfer, TransferStatus, TransferWrite
from gateway.features.users import repository as users
from gateway.features.users.rights import principal_of_user

_c = columns(TransferRow)
_NO_SUCH: Final = {
    "owner_id": Text("There is no such active user", "不存在该用户或其已停用"),
    "team_id": Text("There is no such team", "不存在该团队"),
}


@dataclass(frozen=True, slots=True)
class Work:
    """What is left of a transfer, and in whose name it is done."""

    id: str
    caller: Principal
    tasks: list[Task]
    pages: int
    to: Mapping[str, str | None]
    follow: Sequence[str]
    dry_run: bool


@dataclass(frozen=True, slots=True)
class Step:
    """What one step came to. `error`: the code of the problem for which nothing more can be moved."""

    tasks: list[Task]
    pages: int = 0
    moved: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, int] = field(default_factory=dict)
    faults: list[dict[str, str]] = field(default_factory=list)
    error: str | None = None


async def create_transfer(session: WriteSession, data: TransferWrite, caller: Principal) -> Transfer:
    """It begins at once. Raises Forbidden, ValidationFailed."""
    resources: list[str] = list(dict.fromkeys(data.resources))
    follow: list[str] = list(dict.fromkeys(data.follow))
    if data.where is None and not data.ids:
        follow = [resource for resource in follow if resource not in resources]  # all of it goes anyway
    for resource in (*resources, *follow):
        require(caller, f"{resource}:assign")
    await _check(session, data, resources[0])
    row = TransferRow(
        id=TransferId.new(),
        resources=resources,
        from_user_id=data.from_user_id,
        where=data.where,
        ids=list(data.ids),
        to=data.to.model_dump(include=data.to.model_fields_set),
        follow=follow,
        dry_run=data.dry_run,
        requested_by=caller.subject,
        credential=caller.credential,
        scopes=sorted(caller.scopes),
        region=caller.region,
        tasks=TASKS.dump_python(first_tasks(resources, data.from_user_id, data.where, data.ids)),
    )
    await set_timer(session, RUN_TRANSFER, row.id, await session.now())
    return await UNPUBLISHED.created(session, row)


async def _check(session: WriteSession, data: TransferWrite, resource: str) -> None:
    faults: list[FieldError] = []
    if data.to.owner_id is not None and await users.active(session, data.to.owner_id) is None:
        faults.append(FieldError("/to/owner_id", "not_found", _NO_SUCH["owner_id"]))
    if data.to.team_id is not None and not await teams.existing(session, [data.to.team_id]):
        faults.append(FieldError("/to/team_id", "not_found", _NO_SUCH["team_id"]))
    if data.where is not None:
        try:
            parse(data.where, fields_of(resource, await copied_custom_fields(session)), "/where")
        except InvalidCondition as error:
            faults += condition_problem(error).errors
    for place, record_id in enumerate(data.ids):
        if resource_of(prefix_of(record_id) or "") != resource:
            text = Text(f"This is no id of {resource}", "不是该资源的 id")
            faults.append(FieldError(f"/ids/{place}", "other_resource", text))
    if faults:
        raise ValidationFailed(Text("The transfer is not valid; see errors.", "转移无效，见 errors。"), errors=faults)


async def cancel_transfer(session: WriteSession, row: TransferRow) -> None:
    """What is moved stays moved. Raises TransferOver."""
    if row.status in OVER:
        raise TransferOver
    before = UNPUBLISHED.snapshot(row)
    await _end(session, row, "cancelled")
    await UNPUBLISHED.updated(session, row, before)


async def begin_step(session: WriteSession, transfer_id: str) -> Work | None:
    """None where it does not go on."""
    row = await _locked(session, transfer_id)
    if row is None or row.status in OVER:
        return None
    before = UNPUBLISHED.snapshot(row)
    caller = await _caller(session, row)
    if caller is None:
        await _end(session, row, "failed", "unauthenticated")
        await UNPUBLISHED.updated(session, row, before)
        return None
    if row.status == "pending":
        row.status, row.started_at = "running", await session.now()
        await UNPUBLISHED.updated(session, row, before)
    tasks = TASKS.validate_python(row.tasks)
    return Work(row.id, caller, tasks, row.pages, dict(row.to), list(row.follow), row.dry_run)


async def conclude_step(session: WriteSession, transfer_id: str, step: Step) -> bool:
    """Writes down what it came to; whether there is more to do."""
    row = await _locked(session, transfer_id)
    if row is None:
        return False
    before = UNPUBLISHED.snapshot(row)
    row.pages += step.pages
    row.moved, row.failed = _sum(row.moved, step.moved), _sum(row.failed, step.failed)
    row.faults = [*row.faults, *step.faults][:MAX_FAULTS]
    if row.status not in OVER:
        row.tasks = TASKS.dump_python(step.tasks)
        if step.error is not None or not step.tasks:
            await _end(session, row, "succeeded" if step.error is None else "failed", step.error)
    await UNPUBLISHED.updated(session, row, before)
    return row.status not in OVER


async def _end(session: ReadSession, row: TransferRow, status: TransferStatus, error: str | None = None) -> None:
    row.status, row.error, row.finished_at, row.tasks = status, error, await session.now(), []


def _sum(these: Mapping[str, int], those: Mapping[str, int]) -> dict[str, Any]:
    return dict(Counter(these) + Counter(those))


async def _locked(session: WriteSession, transfer_id: str) -> TransferRow | None:
    statement = select(TransferRow).where(_c.id == transfer_id).with_for_update()
    row: TransferRow | None = await session.scalar(statement.execution_options(populate_existing=True))
    return row


async def _caller(session: ReadSession, row: TransferRow) -> Principal | None:
    """Who asked for it, with the rights that they have now; None where they may no longer come in."""
    if prefix_of(row.credential) == "key":
        now = await principal_of_key(session, row.credential, row.region)
    else:
        now = await principal_of_user(session, row.requested_by, row.region)
    if now is None:
        return None
    return replace(now, scopes=frozenset(scope for scope in row.scopes if now.holds(scope)))
