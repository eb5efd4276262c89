"""What clients may write of a campaign, and what its report says."""

from typing import Annotated

from crm_contracts.campaigns import CampaignStatus
from crm_contracts.contacts import Channel
from crm_contracts.ids import CampaignId, SegmentId, TemplateId
from crm_contracts.types import Contract, Input, Name, Slug, Timestamp
from pydantic import Field


class CampaignWrite(Input):
    name: Name
    channel: Channel = "email"
    purpose: Annotated[Slug, Field(description="The consent purpose that a message needs")] = "marketing"
    segment_id: SegmentId
    template_id: TemplateId


class ScheduleRequest(Input):
    at: Annotated[Timestamp | None, Field(description="When it starts; now if left out")] = None


class CampaignReport(Contract):
    """Messages by status and by the reason why they were not sent. `total` grows while messages are being queued."""

    campaign_id: CampaignId
    status: CampaignStatus
    total: int
    by_status: Annotated[dict[str, int], Field(examples=[{"sent": 90, "skipped": 10}])]
    by_reason: Annotated[dict[str, int], Field(examples=[{"no_consent": 7, "withdrawn": 3}])]
    unsubscribed: int
