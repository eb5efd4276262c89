"""What contacts-svc publishes and answers: contacts, accounts, activities, consents."""

from typing import Annotated, Literal

from pydantic import Field

from crm_contracts.ids import AccountId, ActivityId, ConsentId, ContactId, TeamId, UserId
from crm_contracts.types import (
    Contract,
    CustomFields,
    Date,
    Entity,
    ExternalKey,
    Slug,
    Tag,
    Text,
    Timestamp,
    by_name,
    known,
)

LifecycleStage = Literal["subscriber", "lead", "qualified", "customer", "loyal", "lapsed"]
ActivityKind = Literal["call", "email", "meeting", "note", "visit", "chat", "page_view", "sms", "wechat", "other"]
Direction = Literal["inbound", "outbound"]
Channel = Literal["email", "sms", "wechat", "phone", "push", "post"]
ConsentStatus = Literal["granted", "withdrawn"]
LegalBasis = Literal["consent", "contract", "legitimate_interest", "legal_obligation", "vital_interest", "public_task"]

ExternalIds = Annotated[dict[Slug, ExternalKey], Field(max_length=50, json_schema_extra=by_name)]
"""The ids that other systems gave, by system."""


class Email(Contract):
    address: Annotated[str, Field(description="Normalised: domain in lower case, local part as given")]
    primary: bool
    verified: bool


class Phone(Contract):
    number: Annotated[str, Field(description="E.164, such as +8613800138000")]
    label: Text | None


class Address(Contract):
    street: Text | None
    district: Text | None
    city: Text | None
    region: Text | None
    postal_code: Text | None
    country: Annotated[str | None, Field(description="ISO 3166-1 alpha-2")]


class Contact(Entity):
    """A person."""

    id: ContactId
    first_name: str | None
    last_name: str | None
    full_name: str | None
    emails: list[Email]
    phones: list[Phone]
    wechat: str | None
    title: str | None
    account_id: AccountId | None
    address: Address | None
    language: str | None
    birthday: Date | None
    source: str | None
    lifecycle_stage: Annotated[str, known(LifecycleStage)]
    owner_id: UserId | None
    team_id: TeamId | None
    external_ids: ExternalIds
    tags: list[Tag]
    custom: CustomFields


class Account(Entity):
    """A company or another organisation."""

    id: AccountId
    name: str
    domain: Annotated[str | None, Field(description="Host name in lower case, without scheme and www")]
    industry: str | None
    size: Annotated[int | None, Field(description="Number of employees")]
    parent_id: AccountId | None
    phone: str | None
    address: Address | None
    lifecycle_stage: Annotated[str, known(LifecycleStage)]
    owner_id: UserId | None
    team_id: TeamId | None
    external_ids: ExternalIds
    tags: list[Tag]
    custom: CustomFields


class Activity(Entity):
    """One piece of communication, whatever system saw it."""

    id: ActivityId
    kind: Annotated[str, known(ActivityKind)]
    direction: Direction | None
    channel: str | None
    at: Timestamp
    subject: str | None
    body: str | None
    contact_id: ContactId | None
    account_id: AccountId | None
    actor_id: str | None
    data: CustomFields


class Consent(Entity):
    """One entry of a contact's consent ledger; entries are never changed.

    The present state of a (channel, purpose) is its entry with the greatest (`at`, `number`).
    """

    id: ConsentId
    contact_id: ContactId
    number: Annotated[int, Field(ge=1, description="Position in the contact's ledger")]
    channel: Annotated[str, known(Channel)]
    purpose: str
    status: ConsentStatus
    legal_basis: Annotated[str, known(LegalBasis)]
    source: str
    wording: Annotated[str | None, Field(description="The text shown, or its version")]
    evidence: CustomFields
    at: Timestamp
    expires_at: Timestamp | None
    actor_id: str | None
