"""What clients read of a replay."""

from typing import Annotated, Literal

from crm_contracts.ids import WebhookEndpointId, WebhookReplayId
from crm_contracts.sensitivity import OPEN
from crm_contracts.types import Entity, Input, Timestamp
from pydantic import Field

ReplayStatus = Literal["running", "succeeded", "cancelled"]


class WebhookReplay(Entity):
    """Events that an endpoint is told once more. `succeeded`: all that fit have been found; of those some may wait for another
    attempt, as any delivery does.
    """

    id: Annotated[WebhookReplayId, OPEN]
    endpoint_id: Annotated[WebhookEndpointId, OPEN]
    status: Annotated[ReplayStatus, OPEN]
    from_at: Annotated[Timestamp | None, OPEN]
    until_at: Annotated[Timestamp | None, OPEN]
    kinds: Annotated[list[str], OPEN]
    customer_id: Annotated[str | None, OPEN]
    looked_at: Annotated[int, Field(description="Events that were looked at, whether they fit or not"), OPEN]
    to_look_at: Annotated[int, Field(description="Of so many"), OPEN]
    found: Annotated[
        int, Field(description="Those that fit; one that was told twice since a process died counts twice"), OPEN
    ]
    delivered: Annotated[int, OPEN]
    failed: Annotated[int, Field(description="Given up, or cancelled; what is neither waits"), OPEN]


class WebhookReplayWrite(Input):
    """Nothing: the endpoint's `/replay` makes them."""
