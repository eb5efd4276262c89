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
from crm_contracts.types import Contract, Entity, Timestamp, known

CampaignStatus = Literal["draft", "scheduled", "sending", "paused", "sent", "cancelled"]
MessageStatus = Literal["queued", "sending", "sent", "skipped", "failed", "cancelled"]


class Template(Entity):
    id: TemplateId
    name: str
    channel: Annotated[str, known(Channel)]
    language: str | None
    subject: Annotated[str | None, Field(description="Jinja source")]
    body_text: Annotated[str, Field(description="Jinja source of the plain text part")]
    body_html: Annotated[str | None, Field(description="Jinja source of the HTML part; values are escaped")]


class Segment(Entity):
    id: SegmentId
    name: str
    description: str | None
    member_count: Annotated[int, Field(ge=0)]


class SegmentMember(Entity):
    """A contact's membership of a static segment."""

    id: SegmentMemberId
    segment_id: SegmentId
    contact_id: ContactId


class Campaign(Entity):
    id: CampaignId
    name: str
    channel: Annotated[str, known(Channel)]
    purpose: Annotated[str, Field(description="The consent purpose that a message needs, such as marketing")]
    segment_id: SegmentId
    template_id: TemplateId
    status: Annotated[str, known(CampaignStatus)]
    scheduled_at: Timestamp | None
    started_at: Timestamp | None
    finished_at: Timestamp | None


class ConsentProof(Contract):
    """Which ledger entry allowed a message, as it stood at the moment of sending."""

    consent_id: ConsentId
    status: str
    at: Timestamp
    checked_at: Timestamp


class Message(Entity):
    """One message to one contact, and its fate."""

    id: MessageId
    campaign_id: CampaignId
    campaign_name: str
    contact_id: ContactId
    channel: Annotated[str, known(Channel)]
    purpose: str
    address: Annotated[str | None, Field(description="Where it was sent to; null until then")]
    subject: str | None
    status: Annotated[str, known(MessageStatus)]
    reason: Annotated[str | None, Field(description="Why it was skipped or failed, such as no_consent")]
    consent: ConsentProof | None
    queued_at: Timestamp
    sent_at: Timestamp | None
    unsubscribed_at: Timestamp | None


class Unsubscribe(Entity):
    """A customer's own withdrawal through the signed link of a message."""

    id: UnsubscribeId
    message_id: MessageId
    contact_id: ContactId
    channel: Annotated[str, known(Channel)]
    purpose: str
    at: Timestamp
