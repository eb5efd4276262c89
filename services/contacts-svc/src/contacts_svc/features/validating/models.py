"""The table of validation rules."""

from typing import Any

from crm_kit.db.models import CodePointText, EntityRow, json_column
from sqlalchemy import Index, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from contacts_svc.base import Base


class ValidationRuleRow(EntityRow, Base, table=True):
    __tablename__ = "validation_rule"
    __table_args__ = (
        Index("validation_rule_created", "tenant_id", "created_at", "id"),
        Index("validation_rule_resource", "tenant_id", "resource", "id"),
    )

    resource: str = Field(sa_type=Text, nullable=False)
    code: str = Field(sa_type=CodePointText, nullable=False)
    message: dict[str, Any] = json_column(dict)
    condition: dict[str, Any] = json_column(dict)
    when: dict[str, Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    field: str | None = Field(default=None, sa_type=CodePointText)
    active: bool = Field(default=True, nullable=False)
