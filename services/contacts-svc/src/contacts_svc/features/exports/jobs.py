"""Writing the file of an export, page by page; a workbook's out of its rows, at the end."""

import tempfile
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, BinaryIO, Final
from weakref import finalize

from crm_kit.audit import entry, record
from crm_kit.conditions import Field, FieldType
from crm_kit.db.models import utc_now
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.errors import Forbidden
from crm_kit.http.principal import Principal
from crm_kit.jobs import JobKind, JobStatus, Progress
from crm_kit.resources import Walk, access
from crm_kit.tabular.workbook_writing import workbook_line, write_workbook
from crm_kit.tabular.writing import csv_lines
from crm_kit.timers import Conclusion, Outside

from contacts_svc.features.export_columns.rules import ExportResource, column, default_columns, no_column
from contacts_svc.features.export_rows.usecases import RESOURCES, is_shown, write_rows
from contacts_svc.features.exports import repository
from contacts_svc.features.exports.events import UNPUBLISHED
from contacts_svc.features.exports.models import ExportRow
from contacts_svc.features.exports.resource import EXPORTS
from contacts_svc.features.exports.usecases import EXPORT_JOB

_PAGE: Final = 500
"""Records of one transaction."""

_UNRESTRICTED: Final = {"field": "restricted", "op": "eq", "value": False}

_LEASE: Final = timedelta(seconds=20)
"""So long after its process has died a workbook is begun anew."""

_CELLS_PER_SECOND: Final = 2_000
"""Less than a machine with much else to do writes into a workbook (15,000 were measured under six times its load)."""


async def _step(session: WriteSession, export_id: str, caller: Principal) -> Progress | Outside:
    row = await EXPORTS.held(session, export_id)
    if row.phase == "workbook":
        return await _workbook(session, row)
    resource: Any = row.resource
    row.status = "running"
    if row.phase == "begin":
        await _begin(session, row, resource, caller)
    elif row.phase == "read":
        await _read_page(session, row, resource)
    # Another version, of which no audit entry tells: that it was asked for is told, and what came of it will be.
    row.version += 1
    row.updated_at = utc_now()
    await session.flush()
    return Progress(row.done, row.total, row.phase == "end")


async def _begin(session: WriteSession, row: ExportRow, resource: ExportResource, caller: Principal) -> None:
    """Finds the columns where none were asked for, counts the records, and writes the header."""
    declared = await RESOURCES[resource].declared(session)
    walk = await _walk(session, row, resource)
    if row.columns is None:
        wanted = () if row.format == "ndjson" else ("external_ids",) if declared.fields else ("external_ids", "custom")
        names = {member: await _names_under(session, walk, resource, member) for member in wanted}
        asked = default_columns(resource, row.format, declared.fields, names)  # type: ignore[arg-type]  # what was stored is one of them
        found = [each for path in asked if (each := column(resource, path, declared.fields)) is not None]
        row.columns = [each.path for each in found if is_shown(session, each.member, declared, caller)]
    row.total = await walk.count(session)
    row.size = 0
    match row.format:
        case "csv":
            header = csv_lines([row.columns], delimiter=row.delimiter or ",", encoding=row.encoding)
            await repository.add_piece(session, row, header)
        case "xlsx":
            await repository.add_piece(session, row, workbook_line(row.columns))
    row.phase = "read"


async def _names_under(session: ReadSession, walk: Walk, resource: ExportResource, member: str) -> list[str]:
    """Of systems and of custom values, by name: of the records of which the caller reads them."""
    if member not in RESOURCES[resource].read.model_fields:
        return []
    try:
        reads = await access.reached(session, RESOURCES[resource], [Field(member, FieldType.TEXT)])
    except Forbidden:
        return []
    return await repository.names_under(session, walk, member, reads)


async def _walk(session: ReadSession, row: ExportRow, resource: ExportResource) -> Walk:
    """To store is all that may be done with what is held of a restricted contact: it stands in no file."""
    where = row.where
    if resource == "contacts":
        where = {"all": [_UNRESTRICTED, *([where] if where is not None else [])]}
    walk = await Walk.of(session, RESOURCES[resource], where, row.sort, row.created_at)
    if resource == "activities":
        walk = replace(walk, statement=walk.statement.where(repository.of_unrestricted()))
    return walk


async def _read_page(session: WriteSession, row: ExportRow, resource: ExportResource) -> None:
    """What the caller may export, as it is now, and their rights by who has it now."""
    walk = await _walk(session, row, resource)
    page = await walk.page(session, row.place, _PAGE, "export")
    declared = await RESOURCES[resource].declared(session)
    columns = [column(resource, path, declared.fields) or no_column(resource, path) for path in row.columns or ()]
    if page.rows:
        format_: Any = row.format
        written = await write_rows(
            session,
            resource,
            page.rows,
            columns,
            format_=format_,
            delimiter=row.delimiter,
            encoding=row.encoding.removesuffix("-sig"),  # the mark stands before the header alone
        )
        await repository.add_piece(session, row, written.content)
        if resource != "accounts":
            member = "id" if resource == "contacts" else "contact_id"
            await repository.note_subjects(session, row.id, row.pieces, [getattr(each, member) for each in page.rows])
        row.shown = sorted({*row.shown, *written.shown})
        row.cut += written.cut
    row.rows, row.done = row.rows + len(page.rows), row.done + page.count
    row.total = max(row.total or 0, row.done)
    row.place = page.place or row.place
    if page.count < _PAGE:
        row.phase = "workbook" if row.format == "xlsx" else "end"


async def _workbook(session: ReadSession, row: ExportRow) -> Outside:
    rows: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115  # closed when it is written
    await repository.copy_file(session, row, rows)
    seconds = 60 + row.rows * len(row.columns or ()) / _CELLS_PER_SECOND
    return Outside(partial(_written, row.id, row.resource, rows, seconds), _LEASE, renewed=True)


async def _written(export_id: str, title: str, rows: BinaryIO, seconds: float) -> Conclusion:
    """Raises WorkbookFailed: then it is tried again."""
    workbook: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115  # closed with `keep`
    try:
        await write_workbook(rows, workbook, title, seconds=seconds)
    except BaseException:
        workbook.close()
        raise
    finally:
        rows.close()

    async def keep(session: WriteSession) -> datetime:
        row = await repository.lock(session, export_id)
        if row is not None and row.phase == "workbook" and row.status == "running":
            await repository.replace_file(session, row, workbook)
            row.phase = "end"
            await session.flush()
        return await session.now()

    finalize(keep, workbook.close)  # not in it: it is called again where its transaction fails
    return keep


async def _ended(session: WriteSession, export_id: str, status: JobStatus) -> None:
    """What did not succeed has no file. What did is told as taken out, with all that it holds."""
    row = await EXPORTS.held(session, export_id)
    before = UNPUBLISHED.snapshot(row)
    row.status = status
    if status == "succeeded":
        told = {name: getattr(row, name) for name in ("where", "columns", "format", "rows", "shown")}
        exported = entry(RESOURCES[row.resource].singular, "exported", details={"export": row.id, **told})  # type: ignore[index]  # what was stored is one of them
        await record(session, [exported])
    else:
        await repository.forget_file(session, row)
    await UNPUBLISHED.updated(session, row, before)


JOBS: Final = (JobKind(EXPORT_JOB, _step, _ended),)
