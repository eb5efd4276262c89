"""Every statement about validation rules beyond those that all resources have, and the fields that these can name."""

from typing import get_args

from crm_contracts.validation_rules import ValidatedResource
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession
from crm_kit.resources import base_fields
from sqlalchemy import func, select

from contacts_svc.features.validating.models import ValidationRuleRow

_c = columns(ValidationRuleRow)

FIELDS = FieldSet(
    "Rule",  # generators of clients call a rule's own condition ValidationRuleCondition
    [
        *base_fields(ValidationRuleRow),
        Field("resource", FieldType.CHOICE, _c.resource, choices=get_args(ValidatedResource), nullable=False),
        Field("code", FieldType.TEXT, _c.code, sortable=True, nullable=False),
        Field("field", FieldType.TEXT, _c.field),
        Field("active", FieldType.BOOLEAN, _c.active, nullable=False),
    ],
)


async def count_active(session: ReadSession, resource: str, except_id: str) -> int:
    return int(await session.scalar(select(func.count()).where(_c.resource == resource, _c.active, _c.id != except_id)))
