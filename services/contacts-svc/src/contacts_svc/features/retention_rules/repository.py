"""Every statement about retention rules beyond those that all resources have, and the fields that these can name."""

from collections.abc import Mapping, Sequence
from typing import get_args

from crm_contracts.retention import CountedFrom, RetainedResource, RetentionAction
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession
from crm_kit.resources import base_fields
from sqlalchemy import func, select

from contacts_svc.features.activities.models import ActivityRow
from contacts_svc.features.retaining.models import RetentionRuleRow

_c, _activity = columns(RetentionRuleRow), columns(ActivityRow)

FIELDS = FieldSet(
    "Retention",  # generators of clients call a rule's own condition by the rule's name
    [
        *base_fields(RetentionRuleRow),
        Field("name", FieldType.TEXT, _c.name, sortable=True, nullable=False),
        Field("resource", FieldType.CHOICE, _c.resource, choices=get_args(RetainedResource), nullable=False),
        Field("counted_from", FieldType.CHOICE, _c.counted_from, choices=get_args(CountedFrom), nullable=False),
        Field("after_days", FieldType.INTEGER, _c.after_days, nullable=False),
        Field("action", FieldType.CHOICE, _c.action, choices=get_args(RetentionAction), nullable=False),
        Field("active", FieldType.BOOLEAN, _c.active, nullable=False),
        Field("effective_at", FieldType.DATETIME, _c.effective_at, sortable=True, nullable=False),
    ],
)


async def count(session: ReadSession) -> int:
    return int(await session.scalar(select(func.count()).select_from(RetentionRuleRow)))


async def contacts_of_activities(session: ReadSession, ids: Sequence[str]) -> Mapping[str, str | None]:
    rows = await session.execute(select(_activity.id, _activity.contact_id).where(_activity.id.in_(ids)))
    return {row.id: row.contact_id for row in rows}
