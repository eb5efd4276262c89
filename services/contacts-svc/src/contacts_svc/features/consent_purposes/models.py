"""The table of purposes."""

from typing import Any

from crm_kit.db.models import CodePointText, EntityRow, json_column, text_list_column
from sqlalchemy import Index, Text
from sqlmodel import Field

from contacts_svc.base import Base


class ConsentPurposeRow(EntityRow, Base, table=True):
    __tablename__ = "consent_purpose"
    __table_args__ = (
        Index("consent_purpose_created", "tenant_id", "created_at", "id"),
        Index("consent_purpose_once", "tenant_id", "purpose", unique=True),
    )

    purpose: str = Field(sa_type=CodePointText, nullable=False)
    label: dict[str, Any] = json_column(dict)
    wording: str = Field(sa_type=Text, nullable=False)
    wording_version: int = Field(default=1, nullable=False)
    channels: list[str] = text_list_column()
    separate: bool = Field(default=False, nullable=False)
    position: int = Field(default=0, nullable=False)
    active: bool = Field(default=True, nullable=False)
