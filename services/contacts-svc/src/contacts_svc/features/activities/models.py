"""The activity table."""

from datetime import datetime
from typing import Any

from crm_kit.db.models import CodePointText, EntityRow, Moment, custom_index, json_column
from sqlalchemy import Index, Text
from sqlmodel import Field

from contacts_svc.base import Base


class ActivityRow(EntityRow, Base, table=True):
    __tablename__ = "activity"
    __table_args__ = (
        Index("activity_created", "tenant_id", "created_at", "id"),
        Index("activity_at", "tenant_id", "at", "id"),
        Index("activity_contact", "tenant_id", "contact_id", "at", "id"),
        Index("activity_account", "tenant_id", "account_id", "at", "id"),
        custom_index("activity"),
    )

    kind: str = Field(sa_type=Text, nullable=False)
    direction: str | None = Field(default=None, sa_type=Text)
    channel: str | None = Field(default=None, sa_type=Text)
    at: datetime = Field(sa_type=Moment, nullable=False)
    subject: str | None = Field(default=None, sa_type=Text)
    body: str | None = Field(default=None, sa_type=Text)
    contact_id: str | None = Field(default=None, sa_type=CodePointText)
    account_id: str | None = Field(default=None, sa_type=CodePointText)
    actor_id: str | None = Field(default=None, sa_type=CodePointText)
    data: dict[str, Any] = json_column(dict)
    custom: dict[str, Any] = json_column(dict, later=True)
