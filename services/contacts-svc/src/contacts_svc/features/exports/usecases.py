"""What can be done with an export."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Final

from crm_contracts.ids import ExportId
from crm_kit.db.models import utc_now
from crm_kit.db.rows import new_row
from crm_kit.db.session import Database, ReadSession, WriteSession
from crm_kit.errors import FieldError, Forbidden, Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.http.route import require
from crm_kit.jobs import start_job
from crm_kit.resources import Walk
from crm_kit.timers import set_timer

from contacts_svc.features.export_columns.rules import REFERENCES, ExportResource, column, known_columns
from contacts_svc.features.export_rows.usecases import RESOURCES, is_shown
from contacts_svc.features.exports import repository
from contacts_svc.features.exports.errors import ExportBusy, NoExportFile
from contacts_svc.features.exports.events import UNPUBLISHED
from contacts_svc.features.exports.models import ExportRow
from contacts_svc.features.exports.schemas import Export, ExportWrite

FORGET_EXPORT: Final = "forget_export"
EXPORT_JOB: Final = "export"
BUSY: Final = frozenset({"pending", "running"})


async def create_export(
    session: WriteSession, data: ExportWrite, caller: Principal, language: str, kept: timedelta
) -> Export:
    """It begins at once. Raises Forbidden, ValidationFailed."""
    _require(caller, data.resource)
    resource, now = RESOURCES[data.resource], utc_now()
    await Walk.of(session, resource, data.where, data.sort, now)
    await _check_columns(session, data.resource, data.columns or (), caller)
    export_id = ExportId.new()
    named = Text(data.resource, resource.label.zh).get(language)
    row = new_row(
        ExportRow,
        id=export_id,
        created_at=now,
        updated_at=now,
        resource=data.resource,
        where=data.where,
        sort=data.sort,
        columns=data.columns,
        format=data.format,
        delimiter=(data.delimiter or ",") if data.format == "csv" else None,
        encoding=(data.encoding or "utf-8-sig") if data.format == "csv" else "utf-8",
        filename=f"{data.filename or f'{named}-{now.date().isoformat()}'}.{data.format}",
        job_id=await start_job(session, EXPORT_JOB, export_id, caller),
        requested_by=caller.subject,
        expires_at=now + kept,
    )
    await set_timer(session, FORGET_EXPORT, export_id, row.expires_at)
    return await UNPUBLISHED.created(session, row)


def _require(caller: Principal, resource: str) -> None:
    require(caller, f"{resource}:read")
    require(caller, f"{resource}:export")


async def _check_columns(
    session: ReadSession, resource: ExportResource, paths: Sequence[str], caller: Principal
) -> None:
    """Raises ValidationFailed for what is no column, and Forbidden for what the caller sees of no record."""
    declared = await RESOURCES[resource].declared(session)
    unknown, hidden = [], []
    for place, path in enumerate(paths):
        pointer, found = f"/columns/{place}", column(resource, path, declared.fields)
        if found is None:
            known = ", ".join(known_columns(resource))
            text = Text(
                f"Must be a path into one of {known}, such as address.city or custom.<declared name>",
                f"必须是以下成员或其下的路径：{known}，例如 address.city 或 custom.<已声明的名称>",
            )
            unknown.append(FieldError(pointer, "unknown_column", text))
        elif path in paths[:place]:
            unknown.append(FieldError(pointer, "repeated", Text("The column is named twice", "该列重复")))
        elif not is_shown(session, found.member, declared, caller):
            text = Text("You see this of no record", "您无权查看任何对象的该字段")
            hidden.append((path, FieldError(pointer, "not_readable", text)))
    if unknown:
        raise ValidationFailed(Text("The columns are not valid; see errors.", "列无效，见 errors。"), errors=unknown)
    if hidden:
        names = [path for path, _ in hidden]
        raise Forbidden(
            Text(f"You may not export {', '.join(names)}.", f"无权导出：{'、'.join(names)}。"),
            errors=[error for _, error in hidden],
            members={"missing_permission": f"{resource}.{names[0]}:read"},
        )


def check_file(session: ReadSession, row: ExportRow, caller: Principal) -> None:
    """Raises NoExportFile, and Forbidden for who did not ask for it and may not see everything: it holds what who asked saw."""
    _require(caller, row.resource)
    if any(path.partition(".")[0] in REFERENCES for path in row.columns or ()):
        require(caller, "accounts:read")
    if session.sights is not None and row.requested_by != caller.subject:
        raise Forbidden(
            Text("The file is for who asked for it.", "该文件仅供申请导出的人下载。"),
            members={"missing_permission": f"{row.resource}:export"},
        )
    if row.status in BUSY:
        raise ExportBusy(Text("Wait for its job.", "请等待其任务结束。"), members={"job_id": row.job_id})
    if row.status != "succeeded":
        raise NoExportFile(
            Text(f"It has {row.status}; ask for another.", "导出已失败、取消或过期；请重新申请。"),
            members={"export_status": row.status},
        )


async def file_of(database: Database, tenant_id: str, row: repository.WithFile) -> AsyncIterator[bytes]:
    """Piece by piece, each read in a transaction of its own; it breaks off where the file is forgotten meanwhile."""
    for number in range(row.pieces):
        async with database.read(tenant_id) as session:
            content = await repository.piece(session, row.id, number)
        if content is None:
            raise NoExportFile
        yield content


async def delete_export(session: WriteSession, row: ExportRow, _caller: Principal) -> None:
    """With its file. Raises ExportBusy."""
    if row.status in BUSY:
        raise ExportBusy(Text("Cancel its job first.", "请先取消其任务。"), members={"job_id": row.job_id})
    await repository.forget_file(session, row)
    await UNPUBLISHED.deleted(session, row)


async def forget_export(session: WriteSession, row: ExportRow) -> None:
    """Its time is over: that it was, of what resource and how many, stays; what it was asked for by may name a person."""
    before = UNPUBLISHED.snapshot(row)
    await repository.forget_file(session, row)
    row.where = None
    row.status = "expired" if row.status == "succeeded" else row.status
    await UNPUBLISHED.updated(session, row, before)


async def forget_condition(session: WriteSession, row: ExportRow) -> None:
    """What it was asked for by may name a person."""
    before = UNPUBLISHED.snapshot(row)
    row.where = None
    await UNPUBLISHED.updated(session, row, before)
