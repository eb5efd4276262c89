"""Every statement about bulk changes beyond those that all resources have, and the fields that these can name."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.jobs import JobStatus
from crm_kit.resources import base_fields
from sqlalchemy import delete, insert, select

from contacts_svc.features.bulk_changes.models import BulkChangeRow, BulkFailureRow
from contacts_svc.features.bulk_changes.rules import BulkAction
from contacts_svc.features.bulk_changes.schemas import BulkResource

_c, _f = columns(BulkChangeRow), columns(BulkFailureRow)

FIELDS = FieldSet(
    "BulkChange",
    [
        *base_fields(BulkChangeRow),
        Field("status", FieldType.CHOICE, _c.status, choices=get_args(JobStatus), nullable=False),
        Field("resource", FieldType.CHOICE, _c.resource, choices=get_args(BulkResource), nullable=False),
        Field("action", FieldType.CHOICE, _c.action, choices=get_args(BulkAction), nullable=False),
        Field("requested_by", FieldType.ID, _c.requested_by, nullable=False),
    ],
)


async def lock(session: WriteSession, bulk_change_id: str) -> BulkChangeRow | None:
    statement = select(BulkChangeRow).where(_c.id == bulk_change_id).with_for_update()
    row: BulkChangeRow | None = await session.scalar(statement.execution_options(populate_existing=True))
    return row


async def add_failures(session: WriteSession, bulk_change_id: str, problems: Mapping[str, Mapping[str, Any]]) -> None:
    """By the record's id."""
    if problems:
        rows = [
            {"tenant_id": session.tenant_id, "bulk_change_id": bulk_change_id, "record_id": id_, "problem": problem}
            for id_, problem in problems.items()
        ]
        await session.execute(insert(BulkFailureRow), rows)


async def failures(session: ReadSession, bulk_change_id: str, after: str, limit: int) -> Sequence[BulkFailureRow]:
    """By the record's id."""
    statement = select(BulkFailureRow).where(_f.bulk_change_id == bulk_change_id, _f.record_id > after)
    return (await session.scalars(statement.order_by(_f.record_id).limit(limit))).all()


async def forget_failures(session: WriteSession, bulk_change_id: str) -> None:
    await session.execute(delete(BulkFailureRow).where(_f.bulk_change_id == bulk_change_id))
