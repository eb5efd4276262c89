"""What is told of a dead letter: by a service to the gateway, and by the gateway to clients."""

from typing import Annotated, Literal

from crm_contracts.ids import DeadLetterId
from crm_contracts.types import Contract, Entity, ExternalKey, Input, Timestamp
from pydantic import Field

Stage = Literal["outbox", "consumer"]
Kind = Literal["failed", "waiting", "unsupported", "malformed", "unpublishable"]


class LetterFilter(Input):
    """Which letters are wanted."""

    stage: Stage | None = None
    consumer: Annotated[ExternalKey | None, Field(description="Such as gateway.view")] = None
    topic: ExternalKey | None = None
    kind: Kind | None = None
    key: Annotated[ExternalKey | None, Field(description="The entity's id")] = None


class LetterQuery(LetterFilter):
    """A page of them, newest first. `limit` is one above a public page's, to see whether there is another."""

    before: DeadLetterId | None = None
    limit: Annotated[int, Field(ge=1, le=201)] = 51


class DeadLetter(Entity):
    """An event that could not be published or applied."""

    id: DeadLetterId
    service: Annotated[str, Field(description="Where it lies")]
    stage: Annotated[Stage, Field(description="outbox: it could not be published. consumer: not applied")]
    kind: Annotated[
        Kind,
        Field(
            description="failed: the consumer refused it. waiting: behind an earlier letter of its key. unsupported: its"
            " type or major version is unknown to this release. malformed: it is no event. unpublishable: the event log"
            " refuses it"
        ),
    ]
    consumer: Annotated[str | None, Field(description="Who could not apply it; null in stage outbox")]
    topic: str
    key: Annotated[str, Field(description="Events of one key are applied in order; the entity's id")]
    event_id: str | None
    event_type: str | None
    subject: str | None
    traceparent: Annotated[str | None, Field(description="The trace of the change that the event tells of")]
    error: Annotated[str, Field(description="What went wrong the last time")]
    attempts: Annotated[int, Field(description="How often it was tried")]
    tried_at: Annotated[Timestamp | None, Field(description="When it was last tried; null if never")]


class DeadLetterContent(DeadLetter):
    """A dead letter with the record itself."""

    headers: dict[str, str]
    payload: Annotated[str | None, Field(description="The record's value; null for a tombstone")]
    payload_encoding: Annotated[Literal["utf-8", "base64"] | None, Field(description="base64 where it is no text")]


class LetterList(Contract):
    """What a service answers the gateway."""

    data: list[DeadLetter]


class Replay(Contract):
    """What came of a replay."""

    outcome: Annotated[
        Literal["applied", "failed", "released"],
        Field(description="released: the relay publishes it in a moment. failed: the letter stays, with its new error"),
    ]
    applied: Annotated[int, Field(description="Letters that were applied and are gone")]
    remaining: Annotated[int, Field(description="Letters of this key that are still there")]
    error: str | None
