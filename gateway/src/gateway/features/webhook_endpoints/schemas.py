"""What clients may write and read of a webhook endpoint."""

import re
from typing import Annotated, Any, Final, Literal, Self

from crm_contracts.ids import AccountId, ContactId, EventId, WebhookDeliveryId
from crm_contracts.sensitivity import OPEN
from crm_contracts.types import Contract, Input, Text, Timestamp
from crm_contracts.webhooks import Ordering, Transport, WebhookEndpoint
from crm_kit.conditions import ConditionSchema
from crm_kit.http.outbound import OutboundRefused, refuse_form
from crm_kit.http.standard_webhooks import key_of
from pydantic import AfterValidator, Field, JsonValue, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from gateway.features.webhook_endpoints.rules import KIND_PATTERN

_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_OURS: Final = frozenset(
    {
        "accept", "accept-encoding", "connection", "content-length", "content-type", "expect", "host", "keep-alive",
        "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "webhook-id",
        "webhook-signature", "webhook-timestamp",
    }
)  # fmt: skip
"""Headers that we send, or that are the connection's."""


def _url(value: str) -> str:
    try:
        refuse_form(value)
    except OutboundRefused:
        raise PydanticCustomError(
            "webhook_url",
            "Must be an https URL without user and fragment, such as https://erp.example.com/hooks",
            {"zh": "必须是不含用户与片段的 https 地址，例如 https://erp.example.com/hooks"},
        ) from None
    return value


def _headers(value: dict[str, str]) -> dict[str, str]:
    for name in value:
        if not _HEADER.fullmatch(name) or name.lower() in _OURS or name.lower().startswith("relata-"):
            raise PydanticCustomError("header_name", "{name} cannot be sent along", {"name": name[:100]})
    if len({name.lower() for name in value}) < len(value):
        raise PydanticCustomError("header_twice", "A header stands there twice")
    return value


def _secret(value: str) -> str:
    if key_of(value) is None:
        raise PydanticCustomError(
            "webhook_secret", "Must be whsec_ and 24 to 64 random bytes in Base64, as Standard Webhooks has it"
        )
    return value


Url = Annotated[
    str, StringConstraints(strict=True, min_length=9, max_length=2000, pattern=r"^https?://[\x21-\x7e]+$"), AfterValidator(_url)
]  # fmt: skip
Kind = Annotated[str, StringConstraints(strict=True, max_length=120, pattern=KIND_PATTERN)]
HeaderText = Annotated[str, StringConstraints(strict=True, max_length=1000, pattern=r"^[\x20-\x7e]*$")]
Secret = Annotated[str, StringConstraints(strict=True, max_length=200), AfterValidator(_secret)]
EventCursor = Annotated[str, StringConstraints(strict=True, max_length=2000)]


class WebhookEndpointWrite(Input):
    url: Annotated[Url | None, Field(description="https; null where events are only fetched")] = None
    description: Text | None = None
    kinds: Annotated[
        list[Kind],
        Field(min_length=1, max_length=100, description="contact.created, deal.*, crm.tickets.*, *", examples=[["order.*"]]),
    ] = ["*"]  # fmt: skip
    where: Annotated[
        dict[str, object] | None,
        ConditionSchema(),
        Field(
            description="Over the fields of the entity, as its search has them, and event.type, event.action, event.subject, "
            "event.actor_id, event.changed. An event of an entity that lacks such a field is not told"
        ),
    ] = None
    fields: Annotated[
        list[Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z][a-z0-9_]{0,99}$")]] | None,
        Field(max_length=100, description="Members of the entity that are told, and its id and version; null: all"),
    ] = None
    headers: Annotated[
        Annotated[dict[str, HeaderText], AfterValidator(_headers)] | None,
        Field(
            max_length=20, description="Sent along; they are not shown again, and stay where a patch leaves them out"
        ),
    ] = None
    ordering: Annotated[
        Ordering, Field(description="entity: an entity's events in order, each after the one before has arrived")
    ] = "none"
    rate_limit: Annotated[int | None, Field(strict=True, ge=1, le=10_000, description="Requests a second at most")] = (
        None
    )
    batch_size: Annotated[
        int, Field(strict=True, ge=1, le=100, description="More than 1: a JSON array of up to so many events a request")
    ] = 1
    payload_version: Literal["1"] = "1"
    transport: Transport = "push"
    skip_origins: Annotated[
        list[Annotated[str, StringConstraints(strict=True, min_length=1, max_length=100, pattern=r"^[a-z0-9_/-]+$")]],
        Field(
            max_length=50, description="Keys, users and inbound sources whose own changes are not told: the receiver's"
        ),
    ] = []
    status: Annotated[Literal["active", "paused"], Field(description="paused: nothing is sent, all is kept")] = "active"

    @model_validator(mode="after")
    def _pushed_somewhere(self) -> Self:
        if self.transport == "push" and self.url is None:
            raise PydanticCustomError("url_needed", "What is pushed needs a `url`", {"zh": "推送需要 url"})
        return self


class WebhookEndpointCreate(WebhookEndpointWrite):
    secret: Annotated[Secret | None, Field(description="Yours; one is made if left out")] = None
    after: Annotated[
        EventCursor | None,
        Field(description="Where it begins: a cursor, `snapshot` (the present state first) or `beginning`; now if left out"),
    ] = None  # fmt: skip


class CreatedWebhookEndpoint(WebhookEndpoint):
    """A webhook endpoint with its secret: shown once."""

    secret: Annotated[str, Field(description="Keep it: it is not shown again"), OPEN]


class SecretRotation(Input):
    secret: Annotated[Secret | None, Field(description="Yours; one is made if left out")] = None
    overlap_seconds: Annotated[
        int, Field(strict=True, ge=0, le=2_592_000, description="How long the old secret signs beside the new one")
    ] = 86_400


class CursorWrite(Input):
    after: Annotated[EventCursor, Field(description="A cursor, `snapshot` or `beginning`")]


class WebhookProgress(Contract):
    """How far an endpoint has come, whatever the transport."""

    cursor: Annotated[str, Field(description="All before it is delivered, or waits as a delivery of its own")]
    backlog: Annotated[
        int, Field(description="Events of the tenant behind it, whether or not they are for this endpoint")
    ]
    waiting: Annotated[int, Field(description="Deliveries that wait for another try, up to 1,000")]
    failures: Annotated[int, Field(description="Requests that failed since the last that did not")]
    failing_since: Timestamp | None
    rest_until: Annotated[Timestamp | None, Field(description="Before that it is asked nothing")]
    last_success_at: Timestamp | None
    lost_until: Annotated[
        str | None, Field(description="Where events before this cursor were kept no more when it came to them")
    ] = None


class MatchWrite(Input):
    """One of both."""

    event_id: Annotated[EventId | None, Field(description="An event of the last days")] = None
    event: Annotated[
        dict[str, JsonValue] | None, Field(description="A CloudEvent as a delivery's body has it: what would be?")
    ] = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.event_id is None) == (self.event is None):
            raise PydanticCustomError(
                "one_of_both", "Give `event_id` or `event`", {"zh": "请提供 event_id 或 event 之一"}
            )
        return self


class MatchCheck(Contract):
    what: Literal["kinds", "skip_origins", "where", "rights"]
    holds: bool


class Match(Contract):
    """`checks` in their order; `body`: what would be sent."""

    matches: bool
    checks: list[MatchCheck]
    body: dict[str, Any] | None


class ReplayWrite(Input):
    """What is told once more: some deliveries, or the events that fit all of what is given."""

    delivery_ids: Annotated[list[WebhookDeliveryId], Field(max_length=100)] = []
    after: Annotated[EventCursor | None, Field(description="A cursor, or `beginning`: of all that is kept")] = None
    from_at: Annotated[Timestamp | None, Field(description="Events of this time or later")] = None
    until_at: Annotated[Timestamp | None, Field(description="Events of before this time; now if left out")] = None
    kinds: Annotated[list[Kind], Field(max_length=100)] = []
    customer_id: ContactId | AccountId | None = None

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        beginning = self.after is not None or self.from_at is not None
        if bool(self.delivery_ids) == beginning:
            raise PydanticCustomError(
                "what_to_replay",
                "Give `delivery_ids`, or `from_at` or `after`",
                {"zh": "请提供 delivery_ids，或 from_at、after"},
            )
        return self
