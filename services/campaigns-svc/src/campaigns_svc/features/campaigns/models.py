"""The campaign table."""

from datetime import datetime

from crm_kit.db.models import CodePointText, EntityRow, Moment
from sqlalchemy import Index, Text
from sqlmodel import Field

from campaigns_svc.base import Base


class CampaignRow(EntityRow, Base, table=True):
    """`subject`, `body_text`, `body_html` are the template as it was when the campaign was scheduled.

    `queued_to` and `requeued_to` are how far the running campaign has come: the last member that has its message, the
    last message that was put back after a pause; None where there is nothing left to do.
    """

    __tablename__ = "campaign"
    __table_args__ = (
        Index("campaign_created", "tenant_id", "created_at", "id"),
        Index("campaign_name", "tenant_id", "name", "id"),
        Index("campaign_segment", "tenant_id", "segment_id", "status"),
    )

    name: str = Field(sa_type=CodePointText, nullable=False)
    channel: str = Field(sa_type=Text, nullable=False)
    purpose: str = Field(sa_type=CodePointText, nullable=False)
    segment_id: str = Field(sa_type=CodePointText, nullable=False)
    template_id: str = Field(sa_type=CodePointText, nullable=False)
    status: str = Field(default="draft", sa_type=Text, nullable=False)
    scheduled_at: datetime | None = Field(default=None, sa_type=Moment)
    started_at: datetime | None = Field(default=None, sa_type=Moment)
    finished_at: datetime | None = Field(default=None, sa_type=Moment)
    subject: str | None = Field(default=None, sa_type=Text)
    body_text: str | None = Field(default=None, sa_type=Text)
    body_html: str | None = Field(default=None, sa_type=Text)
    queued_to: str | None = Field(default=None, sa_type=CodePointText)
    requeued_to: str | None = Field(default=None, sa_type=CodePointText)
