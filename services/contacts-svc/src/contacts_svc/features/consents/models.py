"""The consent ledger. Rows are never changed."""

from datetime import datetime
from typing import Any

from crm_kit.db.models import CodePointText, EntityRow, Moment, flag_column, json_column
from sqlalchemy import Index, Text
from sqlmodel import Field

from contacts_svc.base import Base


class ConsentRow(EntityRow, Base, table=True):
    __tablename__ = "consent"
    __table_args__ = (
        Index("consent_number", "tenant_id", "contact_id", "number", unique=True),
        Index("consent_present", "tenant_id", "contact_id", "channel", "purpose", "at", "number"),
        Index("consent_origin", "tenant_id", "origin_id", unique=True),
    )

    contact_id: str = Field(sa_type=CodePointText, nullable=False)
    number: int = Field(nullable=False)
    channel: str = Field(sa_type=Text, nullable=False)
    purpose: str = Field(sa_type=Text, nullable=False)
    status: str = Field(sa_type=Text, nullable=False)
    legal_basis: str = Field(sa_type=Text, nullable=False)
    source: str = Field(sa_type=Text, nullable=False)
    wording: str | None = Field(default=None, sa_type=Text)
    evidence: dict[str, Any] = json_column(dict)
    at: datetime = Field(sa_type=Moment, nullable=False)
    expires_at: datetime | None = Field(default=None, sa_type=Moment)
    actor_id: str | None = Field(default=None, sa_type=CodePointText)
    separate: bool = flag_column()
    origin_id: str | None = Field(default=None, sa_type=CodePointText)
    """The event or entry that this one follows from, so that it is written once."""
