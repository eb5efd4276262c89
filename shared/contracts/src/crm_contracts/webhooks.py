"""What the gateway publishes of webhooks. It holds no secret: neither what signs deliveries nor the headers that go along."""

from typing import Annotated, Any, Literal

from pydantic import Field

from crm_contracts.ids import UserId, WebhookEndpointId
from crm_contracts.sensitivity import OPEN
from crm_contracts.types import Entity, Timestamp, known

Transport = Literal["push", "pull"]
Ordering = Literal["entity", "none"]
EndpointStatus = Literal["active", "paused", "disabled"]
StatusReason = Literal["asked", "failing", "gone", "no_rights"]


class WebhookEndpoint(Entity):
    """A subscription to events: pushed to `url`, or fetched, by the same cursor."""

    id: Annotated[WebhookEndpointId, OPEN]
    url: Annotated[str | None, Field(description="Null where events are only fetched"), OPEN]
    description: Annotated[str | None, OPEN]
    kinds: Annotated[list[str], OPEN]
    where: Annotated[dict[str, Any] | None, Field(description="The condition over the event"), OPEN]
    fields: Annotated[list[str] | None, Field(description="Of the entity; null: all of it"), OPEN]
    header_names: Annotated[list[str], Field(description="Headers that go along; their values are not shown"), OPEN]
    ordering: Annotated[str, known(Ordering), OPEN]
    rate_limit: Annotated[int | None, Field(description="Requests a second at most"), OPEN]
    batch_size: Annotated[int, Field(description="Events in one request at most"), OPEN]
    payload_version: Annotated[str, Field(description="Of the body's shape"), OPEN]
    transport: Annotated[str, known(Transport), OPEN]
    skip_origins: Annotated[list[str], Field(description="Whose own changes are not told"), OPEN]
    status: Annotated[str, known(EndpointStatus), OPEN]
    status_reason: Annotated[str | None, Field(description="asked, failing, gone or no_rights"), OPEN]
    status_at: Annotated[Timestamp, Field(description="Since when"), OPEN]
    previous_secret_until: Annotated[
        Timestamp | None, Field(description="Until then the secret before the present one signs too"), OPEN
    ]
    user_id: Annotated[UserId | None, Field(description="With whose rights events are seen"), OPEN]
    roles: Annotated[list[str], Field(description="By whose rights events are seen; none: by scopes alone"), OPEN]
    scopes: Annotated[list[str], OPEN]
