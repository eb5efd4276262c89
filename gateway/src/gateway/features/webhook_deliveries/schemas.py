"""What clients read of deliveries and events."""

from typing import Annotated, Any, Literal

from crm_contracts.ids import WebhookDeliveryId
from crm_contracts.types import Contract, Timestamp
from pydantic import Field

DeliveryStatus = Literal["waiting", "delivered", "failed"]


class WebhookAttempt(Contract):
    """`status`: of the answer. `error`: timeout, tls, no_connection, address_refused, status_500 …"""

    at: Timestamp
    latency_ms: int
    status: int | None
    error: str | None
    response_excerpt: str


class WebhookDelivery(Contract):
    """One event for one endpoint, from its first attempt on."""

    id: WebhookDeliveryId
    endpoint_id: str
    event_id: Annotated[str, Field(description="The `webhook-id` of every attempt, unless several went together")]
    kind: Annotated[str, Field(description="The event's type")]
    subject: str
    status: DeliveryStatus
    held: Annotated[bool, Field(description="Waits behind an earlier event of its subject")]
    attempts: int
    next_attempt_at: Timestamp | None
    created_at: Timestamp
    finished_at: Timestamp | None
    response_status: int | None
    error: str | None
    replay_id: str | None
    log: Annotated[list[WebhookAttempt], Field(description="The newest 20, the last one last")]


class WebhookDeliveryPage(Contract):
    data: list[WebhookDelivery]
    next_cursor: str | None


class EventPage(Contract):
    """`next_cursor` is where to go on, even where there is nothing more at present; `has_more`: whether to do so at once."""

    data: Annotated[list[dict[str, Any]], Field(description="CloudEvents, as webhooks have them")]
    next_cursor: str
    has_more: bool


class Replayed(Contract):
    """`delivery_ids`: those that are tried again; `replay_id`: of what is told once more."""

    delivery_ids: list[str] = []
    replay_id: str | None = None
