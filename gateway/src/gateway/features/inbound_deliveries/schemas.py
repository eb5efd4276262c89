"""What clients read of an inbound delivery."""

from typing import Annotated, Any, Literal

from crm_contracts.ids import ContactId, InboundBackfillId, InboundDeliveryId, InboundSourceId
from crm_contracts.sensitivity import OPEN, PERSONAL, PRIVATE
from crm_contracts.types import Contract, Entity, Input, Timestamp
from pydantic import Field

DeliveryStatus = Literal["received", "done", "ignored", "parked"]


class DeliveryFault(Contract):
    """A record that could not be written. `code`: the problem's, `pointers`: where in the data."""

    resource: str
    external_id: str | None
    code: str
    pointers: list[str]
    candidates: list[str]


class DeliveryRef(Contract):
    """What a delivery became. `outcome`: created, updated, unchanged, stale where something newer was here already, or erased where
    a backfill tells of somebody as they were before they were erased.
    """

    resource: str
    external_id: str | None
    id: str | None
    outcome: str


class InboundDelivery(Entity):
    """One delivery of a source."""

    id: Annotated[InboundDeliveryId, OPEN]
    source_id: Annotated[InboundSourceId, OPEN]
    status: Annotated[DeliveryStatus, OPEN]
    topic: Annotated[str, OPEN]
    sender_id: Annotated[str | None, Field(description="What the sender calls it"), OPEN]
    external_id: Annotated[str | None, Field(description="Of the record that it is about, at the source"), PERSONAL]
    sent_at: Annotated[Timestamp | None, Field(description="By the sender's clock"), OPEN]
    size: Annotated[int, Field(description="Bytes"), OPEN]
    attempts: Annotated[int, OPEN]
    runs: Annotated[int, Field(description="How often it was run anew"), OPEN]
    written: Annotated[int, Field(description="Of its records, how many have been looked at"), OPEN]
    planned: Annotated[int | None, Field(description="How many records it says something of"), OPEN]
    reason: Annotated[str | None, Field(description="Why it is parked or ignored"), OPEN]
    detail: Annotated[str | None, PRIVATE]
    faults: Annotated[list[DeliveryFault], Field(description="The first hundred"), PERSONAL]
    refs: Annotated[list[DeliveryRef], Field(description="The first hundred"), PERSONAL]
    contact_ids: Annotated[list[ContactId], OPEN]
    processed_at: Annotated[Timestamp | None, OPEN]
    due_at: Annotated[Timestamp | None, Field(description="When it is tried next; null when it is over"), OPEN]
    backfill_id: Annotated[
        InboundBackfillId | None, Field(description="Of the run that asked for it; null where it was sent"), OPEN
    ]


class InboundDeliveryWrite(Input):
    """Nothing: sources alone make them."""


class InboundPayload(Contract):
    """What was sent. `headers`: without what proves who sent it. `encoding`: of `body`, base64 where it is no UTF-8."""

    content_type: str
    headers: dict[str, Any]
    encoding: Literal["utf-8", "base64"]
    body: str


class RerunWhich(Input):
    """Which parked deliveries of a source; those of one reason or topic, where it is named."""

    source_id: InboundSourceId
    reason: Annotated[str | None, Field(max_length=64)] = None
    topic: Annotated[str | None, Field(max_length=200)] = None
    limit: Annotated[int, Field(strict=True, ge=1, le=10_000)] = 1_000


class Rerun(Contract):
    """How many are run anew; ask again for those beyond the limit."""

    count: int
