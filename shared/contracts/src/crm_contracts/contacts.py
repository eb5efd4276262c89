"""What contacts-svc publishes and answers: contacts, accounts, activities, consents."""

from typing import Annotated, Any, Literal

from pydantic import Field

from crm_contracts.ids import AccountId, ActivityId, ConsentId, ContactId, MergeId, PoolId, TeamId, TerritoryId, UserId
from crm_contracts.pools import PoolMove
from crm_contracts.sensitivity import ADDRESS, COMMERCIAL, EMAILS, NAME, OPEN, PERSONAL, PHONE, PHONES, PRIVATE
from crm_contracts.sharing import Share
from crm_contracts.types import (
    Contract,
    CustomFields,
    CustomValues,
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
MergeStatus = Literal["merged", "undone"]
TerritoryResource = Literal["contacts", "accounts"]
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


class ExternalId(Contract):
    """The id that another system gave."""

    system: str
    id: str


class LifecycleChange(Contract):
    """A move from one lifecycle stage to another."""

    stage: str
    from_stage: str
    reason: str | None
    at: Timestamp
    actor_id: str | None


LifecycleReason = Annotated[str | None, Field(description="Why it is in its stage"), COMMERCIAL]
LifecycleChangedAt = Annotated[
    Timestamp | None, Field(description="When it came into its stage; null where it was there from the first"), OPEN
]
ArchivedAt = Annotated[
    Timestamp | None, Field(description="Since when it is left out of lists and searches; null where it is not"), OPEN
]
LifecycleHistory = Annotated[list[LifecycleChange], Field(description="Oldest first; the newest 30"), COMMERCIAL]


class Contact(Entity):
    """A person."""

    id: Annotated[ContactId, OPEN]
    first_name: Annotated[str | None, NAME]
    last_name: Annotated[str | None, NAME]
    full_name: Annotated[str | None, NAME]
    emails: Annotated[list[Email], EMAILS]
    phones: Annotated[list[Phone], PHONES]
    wechat: Annotated[str | None, NAME]
    title: Annotated[str | None, PERSONAL]
    account_id: Annotated[AccountId | None, OPEN]
    address: Annotated[Address | None, ADDRESS]
    language: Annotated[str | None, OPEN]
    birthday: Annotated[Date | None, PERSONAL]
    source: Annotated[str | None, OPEN]
    lifecycle_stage: Annotated[str, known(LifecycleStage), OPEN]
    owner_id: Annotated[UserId | None, OPEN]
    team_id: Annotated[TeamId | None, OPEN]
    external_ids: Annotated[ExternalIds, PERSONAL]
    tags: Annotated[list[Tag], OPEN]
    custom: Annotated[CustomValues, PRIVATE]
    shares: Annotated[list[Share], OPEN] = []
    territory_id: Annotated[TerritoryId | None, Field(description="Which territory assigned it"), OPEN] = None
    merged_from: Annotated[
        list[ContactId], Field(description="Contacts that were merged into it, and not given back since"), OPEN
    ] = []
    other_external_ids: Annotated[
        list[ExternalId],
        Field(description="Those of merged contacts in systems that gave this one another id; they lead here too"),
        PERSONAL,
    ] = []
    lifecycle_reason: LifecycleReason = None
    lifecycle_changed_at: LifecycleChangedAt = None
    lifecycle_history: LifecycleHistory = []
    pool_id: Annotated[
        PoolId | None, Field(description="The pool that it is in while nobody owns it, and goes back to"), OPEN
    ] = None
    returns_at: Annotated[
        Timestamp | None, Field(description="When it goes back into the pool, unless something is done"), OPEN
    ] = None
    pool_history: Annotated[list[PoolMove], Field(description="Oldest first; the newest 30"), COMMERCIAL] = []
    do_not_contact: Annotated[
        bool, Field(description="Wants nothing from us but answers, on no channel, whatever the consents say"), OPEN
    ] = False
    restricted: Annotated[
        bool, Field(description="Is stored, and nothing else is done with it: by a privacy request"), OPEN
    ] = False
    archived_at: ArchivedAt = None


class Merge(Entity):
    """Contacts that became one. `undone`: each is its own again."""

    id: Annotated[MergeId, OPEN]
    into_id: Annotated[ContactId, Field(description="The contact that is left"), OPEN]
    from_ids: Annotated[list[ContactId], Field(description="Those that were merged into it"), OPEN]
    status: Annotated[str, known(MergeStatus), OPEN]
    actor_id: Annotated[str | None, OPEN]
    undone_at: Annotated[Timestamp | None, OPEN]


class Account(Entity):
    """A company or another organisation."""

    id: Annotated[AccountId, OPEN]
    name: Annotated[str, OPEN]
    domain: Annotated[str | None, Field(description="Host name in lower case, without scheme and www"), OPEN]
    industry: Annotated[str | None, OPEN]
    size: Annotated[int | None, Field(description="Number of employees"), OPEN]
    parent_id: Annotated[AccountId | None, OPEN]
    phone: Annotated[str | None, PHONE]
    address: Annotated[Address | None, ADDRESS]
    lifecycle_stage: Annotated[str, known(LifecycleStage), OPEN]
    owner_id: Annotated[UserId | None, OPEN]
    team_id: Annotated[TeamId | None, OPEN]
    external_ids: Annotated[ExternalIds, COMMERCIAL]
    tags: Annotated[list[Tag], OPEN]
    custom: Annotated[CustomValues, PRIVATE]
    shares: Annotated[list[Share], OPEN] = []
    territory_id: Annotated[TerritoryId | None, Field(description="Which territory assigned it"), OPEN] = None
    lifecycle_reason: LifecycleReason = None
    lifecycle_changed_at: LifecycleChangedAt = None
    lifecycle_history: LifecycleHistory = []
    archived_at: ArchivedAt = None


class Activity(Entity):
    """One piece of communication, whatever system saw it."""

    id: Annotated[ActivityId, OPEN]
    kind: Annotated[str, known(ActivityKind), OPEN]
    direction: Annotated[Direction | None, OPEN]
    channel: Annotated[str | None, OPEN]
    at: Annotated[Timestamp, OPEN]
    subject: Annotated[str | None, COMMERCIAL]
    body: Annotated[str | None, COMMERCIAL]
    contact_id: Annotated[ContactId | None, OPEN]
    account_id: Annotated[AccountId | None, OPEN]
    actor_id: Annotated[str | None, OPEN]
    data: Annotated[CustomFields, Field(description="What its source kept of it"), PRIVATE]
    custom: Annotated[CustomValues, PRIVATE] = {}


class Consent(Entity):
    """One entry of a contact's consent ledger; entries are never changed.

    The present state of a (channel, purpose) is its entry with the greatest (`at`, `number`).
    """

    id: Annotated[ConsentId, OPEN]
    contact_id: Annotated[ContactId, OPEN]
    number: Annotated[int, Field(ge=1, description="Position in the contact's ledger"), OPEN]
    channel: Annotated[str, known(Channel), OPEN]
    purpose: Annotated[str, OPEN]
    status: Annotated[ConsentStatus, OPEN]
    legal_basis: Annotated[str, known(LegalBasis), OPEN]
    source: Annotated[str, OPEN]
    wording: Annotated[str | None, Field(description="The text shown, or its version"), OPEN]
    evidence: Annotated[CustomFields, PRIVATE]
    at: Annotated[Timestamp, OPEN]
    expires_at: Annotated[Timestamp | None, OPEN]
    actor_id: Annotated[str | None, OPEN]
    separate: Annotated[bool, Field(description="Given for nothing else in the same act"), OPEN] = False


class Territory(Entity):
    """Assigns the contacts or accounts for which its condition holds to a team; the first that holds, by position, does."""

    id: Annotated[TerritoryId, OPEN]
    name: Annotated[str, OPEN]
    resource: Annotated[str, known(TerritoryResource), OPEN]
    where: Annotated[dict[str, Any], Field(description="The condition"), OPEN]
    team_id: Annotated[TeamId, OPEN]
    owner_id: Annotated[UserId | None, Field(description="Owns what has no owner"), OPEN]
    position: Annotated[int, Field(description="Those of lower position come first, then by id"), OPEN]
    active: Annotated[bool, OPEN]
