"""Every statement about imports beyond those that all resources have, and the fields that these can name."""

from typing import Any, NamedTuple, get_args

from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.resources import base_fields
from sqlalchemy import select

from contacts_svc.features.import_columns.rules import ImportResource
from contacts_svc.features.import_rows.models import ImportResultRow
from contacts_svc.features.imports.models import ImportRow
from contacts_svc.features.imports.schemas import ImportStatus

_c, _r = columns(ImportRow), columns(ImportResultRow)

FIELDS = FieldSet(
    "Import",
    [
        *base_fields(ImportRow),
        Field("status", FieldType.CHOICE, _c.status, choices=get_args(ImportStatus), nullable=False),
        Field("resource", FieldType.CHOICE, _c.resource, choices=get_args(ImportResource), nullable=False),
        Field("filename", FieldType.TEXT, _c.filename),
        Field("requested_by", FieldType.ID, _c.requested_by, nullable=False),
    ],
)


class WhichRows(NamedTuple):
    """`problem`: its code."""

    outcome: str | None
    problem: str | None


async def lock(session: WriteSession, import_id: str) -> ImportRow | None:
    statement = select(ImportRow).where(_c.id == import_id).with_for_update()
    row: ImportRow | None = await session.scalar(statement.execution_options(populate_existing=True))
    return row


async def results(
    session: ReadSession, import_id: str, which: WhichRows, *, after: tuple[int, int], limit: int
) -> list[Any]:
    """In the order of the file, after a row and place."""
    row, place = after
    statement = select(ImportResultRow).where(
        _r.import_id == import_id, (_r.row > row) | ((_r.row == row) & (_r.place > place)), _r.row >= row
    )
    if which.outcome is not None:
        statement = statement.where(_r.outcome == which.outcome)
    if which.problem is not None:
        statement = statement.where(_r.problem["code"].astext == which.problem)
    return list((await session.scalars(statement.order_by(_r.row, _r.place).limit(limit))).all())
