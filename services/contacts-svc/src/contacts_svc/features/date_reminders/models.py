"""The table of reminders."""

from crm_kit.db.models import CodePointText, EntityRow
from sqlalchemy import Index, Text
from sqlmodel import Field

from contacts_svc.base import Base


class DateReminderRow(EntityRow, Base, table=True):
    __tablename__ = "date_reminder"
    __table_args__ = (Index("date_reminder_created", "tenant_id", "created_at", "id"),)

    name: str = Field(sa_type=CodePointText, nullable=False)
    resource: str = Field(sa_type=Text, nullable=False)
    field: str = Field(sa_type=CodePointText, nullable=False)
    repeats: str = Field(sa_type=Text, nullable=False)
    days_before: int = Field(nullable=False)
    at: str = Field(sa_type=Text, nullable=False)
    time_zone: str = Field(sa_type=Text, nullable=False)
    active: bool = Field(default=True, nullable=False)
