"""What pipeline-svc publishes and answers: pipelines, deals, orders."""

from typing import Annotated, Literal

from pydantic import Field

from crm_contracts.ids import AccountId, ContactId, DealId, OrderId, PipelineId, ProductId, StageId, TeamId, UserId
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
