"""The custom field table."""

from typing import Any

from crm_kit.db.models import CodePointText, EntityRow, json_column
from sqlalchemy import Index, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from contacts_svc.base import Base


class CustomFieldRow(EntityRow, Base, table=True):
    __tablename__ = "custom_field"
    __table_args__ = (
        Index("custom_field_created", "tenant_id", "created_at", "id"),
        Index("custom_field_name", "tenant_id", "resource", "name", unique=True),
    )

    resource: str = Field(sa_type=Text, nullable=False)
    name: str = Field(sa_type=CodePointText, nullable=False)
    label: dict[str, Any] = json_column(dict)
    description: dict[str, Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    type: str = Field(sa_type=Text, nullable=False)
    choices: list[dict[str, Any]] = json_column(list)
    required: bool = Field(default=False, nullable=False)
    default: Any = Field(default=None, sa_type=JSONB(none_as_null=True), nullable=True)
    rules: list[dict[str, Any]] = json_column(list)
    sensitivity: str = Field(sa_type=Text, nullable=False)
    archived: bool = Field(default=False, nullable=False)
