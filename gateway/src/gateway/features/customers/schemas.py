"""What the customer view looks like, for the OpenAPI document.

Typed dictionaries: the documents are composed and stored as JSON and go out unread; `?include=` leaves members out.
"""

from typing import Annotated, Any, Literal, NotRequired, Required

from crm_contracts.campaigns import Message
from crm_contracts.contacts import Account, Contact, Email, LifecycleStage, Phone
from crm_contracts.ids import AccountId, ContactId, DealId, PipelineId, SegmentId, StageId, TeamId, UserId
from crm_contracts.pipeline import Invoice, Order, StageKind
from crm_contracts.relationships import Relationship
from crm_contracts.sensitivity import COMMERCIAL, PRIVATE
from crm_contracts.sharing import Share
from crm_contracts.tickets import Ticket
from crm_contracts.types import Contract, CustomFields, Date, Entity, Money, MoneySum, Tag, Timestamp, known
from crm_kit.resources.schemas import Page
from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from gateway.features.customers.search.fields import FieldName
from gateway.features.customers.search.matching import MatchKind

Kind = Literal["contact", "account"]
PartialReason = Literal["common", "filling", "behind"]
"""Why a search may have missed somebody: see `CustomerPage`."""


class ContactSummary(TypedDict, total=False):
    """One of an account's contacts."""

    id: Required[ContactId]
    first_name: str | None
    last_name: str | None
    full_name: str | None
    title: str | None
    emails: list[Email]
    phones: list[Phone]
    wechat: str | None
    lifecycle_stage: Annotated[str, known(LifecycleStage)]
    owner_id: UserId | None
    team_id: TeamId | None
    shares: list[Share]
    tags: list[Tag]
    archived_at: Timestamp | None
    created_at: Timestamp
    updated_at: Timestamp


class Identity(TypedDict):
    """By what a customer is known; `system` with an external id, the others with e-mail addresses and phones."""

    type: Literal["email", "phone", "wechat", "domain", "external_id"]
    value: str
    primary: NotRequired[bool]
    verified: NotRequired[bool]
    label: NotRequired[str | None]
    system: NotRequired[str]


class Scores(TypedDict, total=False):
    rfm: Any
    tier: Any
    churn: Any
    lifetime_value: Any
    lead: Any


class MoneyTotal(MoneySum):
    """The largest sum, and all of them by currency."""

    by_currency: list[MoneySum]


class OpenDeal(Entity):
    """A deal without its lines and history."""

    id: DealId
    name: str
    pipeline_id: PipelineId
    stage_id: StageId
    stage_name: str | None
    status: StageKind
    amount: Annotated[Money | None, COMMERCIAL]
    expected_close: Date | None
    contact_id: ContactId | None
    account_id: AccountId | None
    owner_id: UserId | None
    next_step: Annotated[str | None, COMMERCIAL]
    closed_at: Timestamp | None
    lost_reason: Annotated[str | None, COMMERCIAL]
    tags: list[Tag]
    custom: Annotated[CustomFields, PRIVATE]
    team_id: TeamId | None = None
    shares: list[Share] = []


class Orders(TypedDict, total=False):
    """`count`, `total` and `last_at` leave drafts, cancelled and refunded orders out, also those of which all was given back; `total`
    is less what was given back of the others.
    """

    count: int
    total: MoneyTotal | None
    last_at: Timestamp | None
    recent: list[Order]


class InvoicesDue(TypedDict, total=False):
    """The open invoices: how many, how many of them overdue, what is left to pay of them, and those that are due first."""

    count: int
    overdue: int
    total: MoneyTotal | None
    next: list[Invoice]


class Sales(TypedDict, total=False):
    open_deals: list[OpenDeal]
    open_value: MoneyTotal | None
    won_value: MoneyTotal | None
    orders: Orders
    quotes: list[Any]
    invoices_due: InvoicesDue
    tasks: list[Any]


class Support(TypedDict, total=False):
    open_tickets: list[Ticket]
    counts: Annotated[dict[str, int], Field(description="Tickets by status")]
    last_csat: Any
    sentiment: Any


class SegmentRef(TypedDict):
    id: SegmentId


class Marketing(TypedDict, total=False):
    segments: list[SegmentRef]
    journeys: list[Any]
    recent_messages: list[Message]
    coupons: list[Any]
    points: Any


class EntryRef(TypedDict):
    type: str
    id: str


class TimelineEntry(TypedDict):
    """One thing that happened; `kind` is such as `deal.won`, `activity.call`, `ticket.message`."""

    id: str
    at: Timestamp
    kind: str
    source: str
    title: str
    ref: EntryRef
    actor: str | None
    data: dict[str, Any]


class Source(TypedDict):
    """How new a service's part of the view is, and how long the newest change took to get there."""

    as_of: Timestamp | None
    lag_ms: Annotated[int | None, Field(ge=0)]


class Sources(TypedDict, total=False):
    contacts: Source
    pipeline: Source
    tickets: Source
    campaigns: Source


class CustomerView(TypedDict, total=False):
    """Everything that is known of one customer."""

    id: Required[ContactId | AccountId]
    kind: Required[Kind]
    version: Required[
        Annotated[int, Field(ge=0, description="Of the materialised view; 0 in a live answer that comes before it")]
    ]
    as_of: Required[Timestamp]
    degraded: Annotated[
        list[Literal["contacts", "pipeline", "tickets", "campaigns"]],
        Field(description="Services that did not answer; their part is as last heard of. Only in live answers"),
    ]
    redacted: Annotated[
        list[str],
        Field(
            description="Sections, members such as `sales.orders` or `profile.birthday`, and kinds of timeline entries that "
            "your permissions leave out, of some records at least; absent where nothing is"
        ),
    ]
    masked: Annotated[list[str], Field(description="Members of which you see a part only; absent where there is none")]
    profile: Contact | Account
    account: Account | None
    contacts: list[ContactSummary]
    relationships: Annotated[
        list[Relationship], Field(description="A contact's, from either side, or an account's; the newest 50")
    ]
    tags: list[Tag]
    lifecycle_stage: Annotated[str, known(LifecycleStage)]
    identities: list[Identity]
    consents: Annotated[dict[str, dict[str, str]], Field(description="Status by channel and purpose")]
    scores: Scores
    sales: Sales
    support: Support
    marketing: Marketing
    timeline: list[TimelineEntry]
    sources: Sources


class SearchMatch(TypedDict):
    """Where a word of a search is, and how: the whole of what identifies a customer, of a name, the beginning of one, of a word of
    it or of something else, a part, what Chinese is read as, what sounds alike, a slip.
    """

    field: FieldName
    kind: MatchKind


class CustomerItem(Contract):
    """A customer in a list; `matched` is there with `q`."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    id: ContactId | AccountId
    kind: Kind
    name: str | None
    version: int
    as_of: Timestamp
    profile: Contact | Account
    matched: Annotated[list[SearchMatch], Field(description="By what it is found, the best first")] = []


class CustomerPage(Page[CustomerItem]):
    """One page of customers. `partial`, with `q`: why there may be others that fit; empty where there are none.

    `common`: very many have it, or it is very short, and the newest were looked at. `filling`: customers of an earlier release are
    still being made findable. `behind`: it does not yet contain the writes that `Consistency-Token` names, or that were just
    made.
    """

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    partial: list[PartialReason] = []


class Candidate(TypedDict):
    id: str
    kind: Kind
    name: str | None


class MergedCustomer(Contract):
    """Where a merged customer is found."""

    merged_into: ContactId
