"""The table of legal holds."""

from datetime import datetime

from crm_kit.db.models import CodePointText, EntityRow, Moment
from sqlalchemy import Index, Text, text
from sqlmodel import Field

from contacts_svc.base import Base


class LegalHoldRow(EntityRow, Base, table=True):
    __tablename__ = "legal_hold"
    __table_args__ = (
        Index("legal_hold_created", "tenant_id", "created_at", "id"),
        Index("legal_hold_contact", "tenant_id", "contact_id", "id"),
        Index("legal_hold_standing", "tenant_id", "contact_id", postgresql_where=text("released_at is null")),
    )

    contact_id: str = Field(sa_type=CodePointText, nullable=False)
    reason: str = Field(sa_type=Text, nullable=False)
    until: datetime | None = Field(default=None, sa_type=Moment)
    placed_by: str = Field(sa_type=CodePointText, nullable=False)
    released_at: datetime | None = Field(default=None, sa_type=Moment)
    released_by: str | None = Field(default=None, sa_type=CodePointText)
