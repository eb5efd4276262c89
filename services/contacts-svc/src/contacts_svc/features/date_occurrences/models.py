"""The table of dates that have come due."""

from datetime import date, datetime

from crm_kit.db.models import CodePointText, EntityRow, Moment, id_column
from sqlalchemy import Index, text
from sqlmodel import Field

from contacts_svc.base import Base


class DateOccurrenceRow(EntityRow, Base, table=True):
    """`record_id`: the contact or account that it came due of, whatever is merged since."""

    __tablename__ = "date_occurrence"
    __table_args__ = (
        Index("date_occurrence_created", "tenant_id", "created_at", "id"),
        Index("date_occurrence_once", "tenant_id", "reminder_id", "record_id", "occurs_on", unique=True),
        Index("date_occurrence_day", "tenant_id", "reminder_id", "occurs_on", "id"),
        Index(
            "date_occurrence_contact",
            "tenant_id",
            "contact_id",
            "created_at",
            "id",
            postgresql_where=text("contact_id is not null"),
        ),
        Index(
            "date_occurrence_account",
            "tenant_id",
            "account_id",
            "created_at",
            "id",
            postgresql_where=text("account_id is not null"),
        ),
    )

    reminder_id: str = Field(sa_type=CodePointText, nullable=False)
    record_id: str = Field(sa_type=CodePointText, nullable=False)
    contact_id: str | None = id_column()
    account_id: str | None = id_column()
    field: str = Field(sa_type=CodePointText, nullable=False)
    occurs_on: date = Field(nullable=False)
    due_at: datetime = Field(sa_type=Moment, nullable=False)
