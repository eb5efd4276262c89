"""What pipeline-svc publishes and answers: pipelines, deals, products, orders, invoices, payments."""

from typing import Annotated, Literal

from pydantic import Field

from crm_contracts.ids import (
    AccountId,
    ContactId,
    DealId,
    InvoiceId,
    OrderId,
    PaymentId,
    PipelineId,
    ProductId,
    StageId,
    TeamId,
    UserId,
)
from crm_contracts.sensitivity import COMMERCIAL, OPEN, PRIVATE
from crm_contracts.sharing import Share
from crm_contracts.types import (
    MAX_INTEGER,
    Contract,
    CustomFields,
    Date,
    DecimalString,
    Entity,
    Money,
    Tag,
    Timestamp,
    known,
)

StageKind = Literal["open", "won", "lost"]
OrderStatus = Literal["draft", "pending", "paid", "shipped", "completed", "cancelled", "refunded"]
InvoiceStatus = Literal["draft", "open", "paid", "void", "uncollectible"]
PaymentKind = Literal["payment", "refund"]
PaymentStatus = Literal["pending", "succeeded", "failed", "cancelled"]

SourceUpdatedAt = Annotated[
    Timestamp | None,
    Field(
        description="When its source last changed it, by the source's clock. A change that says an earlier time than the "
        "record has comes too late, and changes nothing"
    ),
    OPEN,
]


class Stage(Contract):
    id: StageId
    name: str
    probability: Annotated[int, Field(ge=0, le=100, description="Percent")]
    order: Annotated[int, Field(ge=0, le=MAX_INTEGER)]
    kind: StageKind
    rotting_days: Annotated[int | None, Field(description="Days without a move after which a deal counts as stale")]
    required_fields: list[str]


class Pipeline(Entity):
    id: Annotated[PipelineId, OPEN]
    name: Annotated[str, OPEN]
    is_default: Annotated[bool, OPEN]
    stages: Annotated[list[Stage], OPEN]


class Line(Contract):
    name: str
    product_id: ProductId | None
    sku: str | None
    quantity: DecimalString
    unit_price: Money


class StageEntry(Contract):
    """A deal's stay in a stage; `left_at` is null while it lasts."""

    stage_id: StageId
    stage_name: str
    kind: StageKind
    entered_at: Timestamp
    left_at: Timestamp | None
    actor_id: str | None


class Deal(Entity):
    id: Annotated[DealId, OPEN]
    name: Annotated[str, OPEN]
    pipeline_id: Annotated[PipelineId, OPEN]
    stage_id: Annotated[StageId, OPEN]
    status: Annotated[StageKind, Field(description="The kind of its stage"), OPEN]
    amount: Annotated[Money | None, COMMERCIAL]
    expected_close: Annotated[Date | None, OPEN]
    contact_id: Annotated[ContactId | None, OPEN]
    account_id: Annotated[AccountId | None, OPEN]
    owner_id: Annotated[UserId | None, OPEN]
    lines: Annotated[list[Line], COMMERCIAL]
    next_step: Annotated[str | None, COMMERCIAL]
    closed_at: Annotated[Timestamp | None, OPEN]
    lost_reason: Annotated[str | None, COMMERCIAL]
    stage_history: Annotated[list[StageEntry], Field(description="Oldest first; the newest 100"), OPEN]
    tags: Annotated[list[Tag], OPEN]
    custom: Annotated[CustomFields, PRIVATE]
    team_id: Annotated[TeamId | None, OPEN] = None
    shares: Annotated[list[Share], OPEN] = []


class Product(Entity):
    """What is sold. Lines name it by `product_id`, which stays a free reference."""

    id: Annotated[ProductId, OPEN]
    name: Annotated[str, OPEN]
    sku: Annotated[str | None, OPEN]
    source: Annotated[str | None, OPEN]
    external_id: Annotated[str | None, OPEN]
    description: Annotated[str | None, OPEN]
    unit_price: Annotated[Money | None, COMMERCIAL]
    category: Annotated[str | None, OPEN]
    is_active: Annotated[bool, Field(description="Whether it is still sold"), OPEN]
    tags: Annotated[list[Tag], OPEN]
    custom: Annotated[CustomFields, PRIVATE]
    source_updated_at: SourceUpdatedAt = None


class Refund(Contract):
    """What was given back of an order's total, once."""

    external_id: str | None
    amount: Money
    reason: str | None
    at: Timestamp


class Order(Entity):
    id: Annotated[OrderId, OPEN]
    number: Annotated[str, OPEN]
    source: Annotated[str | None, OPEN]
    external_id: Annotated[str | None, OPEN]
    contact_id: Annotated[ContactId | None, OPEN]
    account_id: Annotated[AccountId | None, OPEN]
    lines: Annotated[list[Line], COMMERCIAL]
    total: Annotated[Money, COMMERCIAL]
    status: Annotated[str, known(OrderStatus), OPEN]
    placed_at: Annotated[Timestamp, OPEN]
    tags: Annotated[list[Tag], OPEN]
    custom: Annotated[CustomFields, PRIVATE]
    owner_id: Annotated[UserId | None, OPEN] = None
    team_id: Annotated[TeamId | None, OPEN] = None
    shares: Annotated[list[Share], OPEN] = []
    refunds: Annotated[list[Refund], Field(description="In the order in which they were written"), COMMERCIAL] = []
    refunded_total: Annotated[
        Money | None, Field(description="The sum of its refunds; null where there are none"), COMMERCIAL
    ] = None
    source_updated_at: SourceUpdatedAt = None


class Invoice(Entity):
    """What a customer is asked to pay, until when. What is paid and due follows from its payments."""

    id: Annotated[InvoiceId, OPEN]
    number: Annotated[str, OPEN]
    source: Annotated[str | None, OPEN]
    external_id: Annotated[str | None, OPEN]
    contact_id: Annotated[ContactId | None, OPEN]
    account_id: Annotated[AccountId | None, OPEN]
    order_id: Annotated[OrderId | None, OPEN]
    lines: Annotated[list[Line], COMMERCIAL]
    total: Annotated[Money, COMMERCIAL]
    amount_paid: Annotated[
        Money, Field(description="Its succeeded payments less its succeeded refunds, in its currency"), COMMERCIAL
    ]
    amount_due: Annotated[
        Money, Field(description="What is left of the total; 0 once it is paid or void, and never less"), COMMERCIAL
    ]
    status: Annotated[str, known(InvoiceStatus), OPEN]
    issued_at: Annotated[Timestamp | None, Field(description="Null while it is a draft"), OPEN]
    due_at: Annotated[Date | None, Field(description="The last day on which it is paid in time"), OPEN]
    overdue: Annotated[bool, Field(description="Open, and its last day has passed (UTC)"), OPEN]
    tags: Annotated[list[Tag], OPEN]
    custom: Annotated[CustomFields, PRIVATE]
    owner_id: Annotated[UserId | None, OPEN]
    team_id: Annotated[TeamId | None, OPEN]
    shares: Annotated[list[Share], OPEN]
    source_updated_at: SourceUpdatedAt


class Payment(Entity):
    """Money that came in, or as a refund went back. What succeeded counts for the invoice that it names."""

    id: Annotated[PaymentId, OPEN]
    source: Annotated[str | None, OPEN]
    external_id: Annotated[str | None, OPEN]
    kind: Annotated[str, known(PaymentKind), OPEN]
    contact_id: Annotated[ContactId | None, OPEN]
    account_id: Annotated[AccountId | None, OPEN]
    order_id: Annotated[OrderId | None, OPEN]
    invoice_id: Annotated[InvoiceId | None, OPEN]
    amount: Annotated[Money, Field(description="Never negative: `kind` says which way it went"), COMMERCIAL]
    method: Annotated[str | None, OPEN]
    status: Annotated[str, known(PaymentStatus), OPEN]
    paid_at: Annotated[Timestamp | None, Field(description="When the money moved"), OPEN]
    reference: Annotated[str | None, Field(description="As it stands on a bank statement"), COMMERCIAL]
    tags: Annotated[list[Tag], OPEN]
    custom: Annotated[CustomFields, PRIVATE]
    owner_id: Annotated[UserId | None, OPEN]
    team_id: Annotated[TeamId | None, OPEN]
    shares: Annotated[list[Share], OPEN]
    source_updated_at: SourceUpdatedAt
