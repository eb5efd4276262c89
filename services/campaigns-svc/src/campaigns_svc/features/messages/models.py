"""The message table."""

from datetime import datetime
from typing import Any

from crm_kit.db.models import CodePointText, EntityRow, Moment
from sqlalchemy import Index, Text, false, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from campaigns_svc.base import Base


class MessageRow(EntityRow, Base, table=True):
    """`attempts` counts deliveries that failed for a time. `last_at` is the latest of the message's own times.

    `uncertain`: a delivery was begun of which nobody knows how it ended. The recipient may have the message.
    """

    __tablename__ = "message"
    __table_args__ = (
        Index("message_once", "tenant_id", "campaign_id", "contact_id", unique=True),
        Index("message_campaign", "tenant_id", "campaign_id", "status", "reason"),
        Index(
            "message_unfinished",
            "tenant_id",
            "campaign_id",
            "id",
            postgresql_where=text("status in ('queued', 'sending')"),
        ),
        Index("message_contact", "tenant_id", "contact_id", "last_at", "id"),
        Index("message_created", "tenant_id", "created_at", "id"),
        Index("message_queued", "tenant_id", "queued_at", "id"),
    )

    campaign_id: str = Field(sa_type=CodePointText, nullable=False)
    campaign_name: str = Field(sa_type=Text, nullable=False)
    contact_id: str = Field(sa_type=CodePointText, nullable=False)
    channel: str = Field(sa_type=Text, nullable=False)
    purpose: str = Field(sa_type=CodePointText, nullable=False)
    address: str | None = Field(default=None, sa_type=CodePointText)
    subject: str | None = Field(default=None, sa_type=Text)
    status: str = Field(default="queued", sa_type=Text, nullable=False)
    reason: str | None = Field(default=None, sa_type=CodePointText)
    consent: dict[str, Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    queued_at: datetime = Field(sa_type=Moment, nullable=False)
    sent_at: datetime | None = Field(default=None, sa_type=Moment)
    unsubscribed_at: datetime | None = Field(default=None, sa_type=Moment)
    attempts: int = Field(default=0, nullable=False)
    uncertain: bool = Field(default=False, nullable=False, sa_column_kwargs={"server_default": false()})
    last_at: datetime = Field(sa_type=Moment, nullable=False)
