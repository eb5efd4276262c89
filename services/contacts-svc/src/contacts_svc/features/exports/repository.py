"""Every statement about exports beyond those that all resources have, and the fields that these can name."""

import os
from collections.abc import Sequence
from typing import BinaryIO, Final, Protocol, get_args

from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql
from crm_kit.resources import Walk, base_fields
from sqlalchemy import ColumnElement, delete, func, insert, or_, select

from contacts_svc.features.activities.models import ActivityRow
from contacts_svc.features.contacts.models import ContactRow
from contacts_svc.features.export_columns.rules import ExportResource
from contacts_svc.features.exports.models import ExportPieceRow, ExportRow, ExportSubjectsRow
from contacts_svc.features.exports.schemas import ExportStatus

_c, _p = columns(ExportRow), columns(ExportPieceRow)
_activity, _contact = columns(ActivityRow), columns(ContactRow)
_PIECE_BYTES: Final = 1024 * 1024
_MOST_NAMES: Final = 100

FIELDS = FieldSet(
    "Export",
    [
        *base_fields(ExportRow),
        Field("status", FieldType.CHOICE, _c.status, choices=get_args(ExportStatus), nullable=False),
        Field("resource", FieldType.CHOICE, _c.resource, choices=get_args(ExportResource), nullable=False),
        Field("filename", FieldType.TEXT, _c.filename, nullable=False),
        Field("requested_by", FieldType.ID, _c.requested_by, nullable=False),
    ],
)


class WithFile(Protocol):
    """A row of which there is a file in pieces: an export, or a privacy request."""

    id: str
    pieces: int
    size: int | None


_ADD_PIECE = Sql(
    "insert into export_piece (tenant_id, export_id, number, content)"
    " values (:tenant, :export_id, cast(:number as integer), :content)"
)
_PIECE = Sql("select content from export_piece where export_id = :export_id and number = cast(:number as integer)")


def of_unrestricted() -> ColumnElement[bool]:
    """Activities of contacts whose processing nothing restricts, or of none."""
    return or_(
        _activity.contact_id.is_(None), _activity.contact_id.not_in(select(_contact.id).where(_contact.restricted))
    )


async def lock(session: WriteSession, export_id: str) -> ExportRow | None:
    statement = select(ExportRow).where(_c.id == export_id).with_for_update()
    row: ExportRow | None = await session.scalar(statement.execution_options(populate_existing=True))
    return row


async def add_piece(session: WriteSession, row: WithFile, content: bytes) -> None:
    """Behind those that the file has."""
    values = {"tenant": session.tenant_id, "export_id": row.id, "number": row.pieces, "content": content}
    await session.fetch(_ADD_PIECE, values)
    row.pieces += 1
    row.size = (row.size or 0) + len(content)


async def piece(session: ReadSession, export_id: str, number: int) -> bytes | None:
    found = await session.fetch(_PIECE, {"export_id": export_id, "number": number})
    return found[0]["content"] if found else None


async def copy_file(session: ReadSession, row: WithFile, into: BinaryIO) -> None:
    for number in range(row.pieces):
        into.write(await piece(session, row.id, number) or b"")
    into.seek(0)


async def replace_file(session: WriteSession, row: WithFile, file: BinaryIO) -> None:
    await _forget_pieces(session, row)
    file.seek(0, os.SEEK_SET)
    while content := file.read(_PIECE_BYTES):
        await add_piece(session, row, content)


async def forget_file(session: WriteSession, row: WithFile) -> None:
    """With whom it holds."""
    await _forget_pieces(session, row)
    await session.execute(delete(ExportSubjectsRow).where(columns(ExportSubjectsRow).export_id == row.id))


async def _forget_pieces(session: WriteSession, row: WithFile) -> None:
    await session.execute(delete(ExportPieceRow).where(_p.export_id == row.id))
    row.pieces, row.size = 0, None


async def note_subjects(session: WriteSession, export_id: str, number: int, contact_ids: Sequence[str | None]) -> None:
    """Of whom each row of a page tells; None for one that tells of nobody."""
    of = sorted({contact_id for contact_id in contact_ids if contact_id is not None})
    values = {"tenant_id": session.tenant_id, "export_id": export_id, "number": number}
    await session.execute(insert(ExportSubjectsRow).values(**values, rows=len(contact_ids), contact_ids=of))


async def names_under(session: ReadSession, walk: Walk, member: str, reads: ColumnElement[bool]) -> list[str]:
    """The commonest names under a member of a walk's records, where that is read, in alphabetical order."""
    records = walk.statement.where(reads).with_only_columns(columns(walk.resource.row)[member]).subquery()
    keys = select(func.jsonb_object_keys(records.c[member]).label("name")).subquery()
    commonest = select(keys.c.name).group_by(keys.c.name).order_by(func.count().desc(), keys.c.name).limit(_MOST_NAMES)
    return sorted((await session.scalars(commonest)).all())
