"""What pipeline-svc publishes and answers: pipelines, deals, orders."""

from typing import Annotated, Literal

from pydantic import Field

from crm_contracts.ids import AccountId, ContactId, DealId, OrderId, PipelineId, ProductId, StageId, UserId
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


class Stage(Contract):
    id: StageId
    name: str
    probability: Annotated[int, Field(ge=0, le=100, description="Percent")]
    order: Annotated[int, Field(ge=0, le=MAX_INTEGER)]
    kind: StageKind
    rotting_days: Annotated[int | None, Field(description="Days without a move after which a deal counts as stale")]
    required_fields: list[str]


class Pipeline(Entity):
    id: PipelineId
    name: str
    is_default: bool
    stages: list[Stage]


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
    id: DealId
    name: str
    pipeline_id: PipelineId
    stage_id: StageId
    status: Annotated[StageKind, Field(description="The kind of its stage")]
    amount: Money | None
    expected_close: Date | None
    contact_id: ContactId | None
    account_id: AccountId | None
    owner_id: UserId | None
    lines: list[Line]
    next_step: str | None
    closed_at: Timestamp | None
    lost_reason: str | None
    stage_history: Annotated[list[StageEntry], Field(description="Oldest first; the newest 100")]
    tags: list[Tag]
    custom: CustomFields


class Order(Entity):
    id: OrderId
    number: str
    source: str | None
    external_id: str | None
    contact_id: ContactId | None
    account_id: AccountId | None
    lines: list[Line]
    total: Money
    status: Annotated[str, known(OrderStatus)]
    placed_at: Timestamp
    tags: list[Tag]
    custom: CustomFields
