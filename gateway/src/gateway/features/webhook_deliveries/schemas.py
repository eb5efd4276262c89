"""What clients read of deliveries and events."""

from typing import Annotated, Any, Literal

from crm_contracts.ids import WebhookDeliveryId, WebhookEndpointId, WebhookReplayId
from crm_contracts.sensitivity import OPEN, PRIVATE
from crm_contracts.types import Contract, Entity, Input, Timestamp
from pydantic import Field

DeliveryStatus = Literal["waiting", "delivered", "failed"]


class WebhookAttempt(Contract):
    """`status`: of the answer. `error`: timeout, tls, no_connection, address_refused, status_500 …"""

    at: Timestamp
    latency_ms: int
    status: int | None
    error: str | None
    response_excerpt: str


class WebhookDelivery(Entity):
    """One event for one endpoint, from its first attempt on."""

    id: Annotated[WebhookDeliveryId, OPEN]
    endpoint_id: Annotated[WebhookEndpointId, OPEN]
    event_id: Annotated[str, Field(description="The `webhook-id` of every attempt, unless several went together"), OPEN]
    kind: Annotated[str, Field(description="The event's type"), OPEN]
    subject: Annotated[str, OPEN]
    status: Annotated[DeliveryStatus, OPEN]
    held: Annotated[bool, Field(description="Waits behind an earlier event of its subject"), OPEN]
    attempts: Annotated[int, OPEN]
    next_attempt_at: Annotated[Timestamp | None, OPEN]
    finished_at: Annotated[Timestamp | None, OPEN]
    response_status: Annotated[int | None, OPEN]
    error: Annotated[str | None, OPEN]
    replay_id: Annotated[WebhookReplayId | None, OPEN]
    log: Annotated[list[WebhookAttempt], Field(description="The newest 20, the last one last"), PRIVATE]


class WebhookDeliveryWrite(Input):
    """Nothing: they are made of events."""


class EventPage(Contract):
    """`next_cursor` is where to go on, even where there is nothing more at present; `has_more`: whether to do so at once."""

    data: Annotated[list[dict[str, Any]], Field(description="CloudEvents, as webhooks have them")]
    next_cursor: str
    has_more: bool


class Replayed(Contract):
    """`delivery_ids`: those that are tried again; `replay_id`: of what is told once more."""

    delivery_ids: list[str] = []
    replay_id: str | None = None
