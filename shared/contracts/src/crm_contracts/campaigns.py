"""What campaigns-svc publishes and answers: templates, segments, campaigns, messages, unsubscribes."""

from typing import Annotated, Literal

from pydantic import Field

from crm_contracts.contacts import Channel
from crm_contracts.ids import (
    CampaignId,
    ConsentId,
    ContactId,
    MessageId,
    SegmentId,
    SegmentMemberId,
    TemplateId,
    UnsubscribeId,
)
from crm_contracts.sensitivity import COMMERCIAL, OPEN, PERSONAL
from crm_contracts.types import Contract, Entity, Timestamp, known

CampaignStatus = Literal["draft", "scheduled", "sending", "paused", "sent", "cancelled"]
MessageStatus = Literal["queued", "sending", "sent", "skipped", "failed", "cancelled"]


class Template(Entity):
    id: Annotated[TemplateId, OPEN]
    name: Annotated[str, OPEN]
    channel: Annotated[str, known(Channel), OPEN]
    language: Annotated[str | None, OPEN]
    subject: Annotated[str | None, Field(description="Jinja source"), OPEN]
    body_text: Annotated[str, Field(description="Jinja source of the plain text part"), OPEN]
    body_html: Annotated[str | None, Field(description="Jinja source of the HTML part; values are escaped"), OPEN]


class Segment(Entity):
    id: Annotated[SegmentId, OPEN]
    name: Annotated[str, OPEN]
    description: Annotated[str | None, OPEN]
    member_count: Annotated[int, Field(ge=0), OPEN]


class SegmentMember(Entity):
    """A contact's membership of a static segment."""

    id: Annotated[SegmentMemberId, OPEN]
    segment_id: Annotated[SegmentId, OPEN]
    contact_id: Annotated[ContactId, OPEN]


class Campaign(Entity):
    id: Annotated[CampaignId, OPEN]
    name: Annotated[str, OPEN]
    channel: Annotated[str, known(Channel), OPEN]
    purpose: Annotated[str, Field(description="The consent purpose that a message needs, such as marketing"), OPEN]
    segment_id: Annotated[SegmentId, OPEN]
    template_id: Annotated[TemplateId, OPEN]
    status: Annotated[str, known(CampaignStatus), OPEN]
    scheduled_at: Annotated[Timestamp | None, OPEN]
    started_at: Annotated[Timestamp | None, OPEN]
    finished_at: Annotated[Timestamp | None, OPEN]


class ConsentProof(Contract):
    """Which ledger entry allowed a message, as it stood at the moment of sending."""

    consent_id: ConsentId
    status: str
    at: Timestamp
    checked_at: Timestamp


class Message(Entity):
    """One message to one contact, and its fate."""

    id: Annotated[MessageId, OPEN]
    campaign_id: Annotated[CampaignId, OPEN]
    campaign_name: Annotated[str, OPEN]
    contact_id: Annotated[ContactId, OPEN]
    channel: Annotated[str, known(Channel), OPEN]
    purpose: Annotated[str, OPEN]
    address: Annotated[str | None, Field(description="Where it was sent to; null until then"), PERSONAL]
    subject: Annotated[str | None, COMMERCIAL]
    status: Annotated[str, known(MessageStatus), OPEN]
    reason: Annotated[str | None, Field(description="Why it was skipped or failed, such as no_consent"), OPEN]
    consent: Annotated[ConsentProof | None, OPEN]
    queued_at: Annotated[Timestamp, OPEN]
    sent_at: Annotated[Timestamp | None, OPEN]
    unsubscribed_at: Annotated[Timestamp | None, OPEN]


class Unsubscribe(Entity):
    """A customer's own withdrawal through the signed link of a message."""

    id: Annotated[UnsubscribeId, OPEN]
    message_id: Annotated[MessageId, OPEN]
    contact_id: Annotated[ContactId, OPEN]
    channel: Annotated[str, known(Channel), OPEN]
    purpose: Annotated[str, OPEN]
    at: Annotated[Timestamp, OPEN]
