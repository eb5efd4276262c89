"""The table of tag rules."""

from typing import Any

from crm_kit.db.models import CodePointText, EntityRow, json_column
from sqlalchemy import Index, Text
from sqlmodel import Field

from contacts_svc.base import Base


class TagRuleRow(EntityRow, Base, table=True):
    __tablename__ = "tag_rule"
    __table_args__ = (
        Index("tag_rule_created", "tenant_id", "created_at", "id"),
        Index("tag_rule_tag", "tenant_id", "tag", "id"),
    )

    name: str = Field(sa_type=CodePointText, nullable=False)
    description: str | None = Field(default=None, sa_type=Text)
    tag: str = Field(sa_type=CodePointText, nullable=False)
    where: dict[str, Any] = json_column(dict)
    time_zone: str = Field(sa_type=Text, nullable=False)
    active: bool = Field(default=True, nullable=False)
