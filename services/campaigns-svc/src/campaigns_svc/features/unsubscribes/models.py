"""The unsubscribe table. Rows are never changed."""

from datetime import datetime

from crm_kit.db.models import CodePointText, EntityRow, Moment
from sqlalchemy import Index, Text
from sqlmodel import Field

from campaigns_svc.base import Base


class UnsubscribeRow(EntityRow, Base, table=True):
    __tablename__ = "unsubscribe"
    __table_args__ = (
        Index("unsubscribe_present", "tenant_id", "contact_id", "channel", "purpose", "at"),
        Index("unsubscribe_message", "tenant_id", "message_id", "at"),
    )

    message_id: str = Field(sa_type=CodePointText, nullable=False)
    contact_id: str = Field(sa_type=CodePointText, nullable=False)
    channel: str = Field(sa_type=Text, nullable=False)
    purpose: str = Field(sa_type=Text, nullable=False)
    at: datetime = Field(sa_type=Moment, nullable=False)
