"""What the gateway publishes of the systems that write into it by webhooks. No secret is in it."""

from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from crm_contracts.ids import ContactId, InboundDeliveryId, InboundSourceId, SyncConflictId, prefix_of
from crm_contracts.sensitivity import OPEN, PRIVATE
from crm_contracts.types import Contract, Entity, Timestamp, known

SourceKind = Literal["shopify", "woocommerce", "generic", "erp", "wecom", "dingtalk"]
Scheme = Literal["hmac", "standard_webhooks", "bearer", "basic"]
HashAlgorithm = Literal["sha256", "sha512", "sha1"]
SignatureEncoding = Literal["hex", "base64"]
SignedContent = Literal["body", "timestamp.body", "timestamp_then_body"]
OnAmbiguous = Literal["park", "newest"]
PullResource = Literal["customers", "products", "orders"]
ConflictWinner = Literal["relata", "source"]


class Authentication(Contract):
    """How a source proves that a delivery is its own; null where its kind says so."""

    scheme: Annotated[str, known(Scheme)]
    header: Annotated[str | None, Field(description="That holds the signature, of hmac")]
    algorithm: Annotated[str, known(HashAlgorithm)]
    encoding: Annotated[str, known(SignatureEncoding)]
    prefix: Annotated[str, Field(description="Before the signature, such as `sha256=`")]
    content: Annotated[str, known(SignedContent)]
    timestamp_header: Annotated[str | None, Field(description="Seconds since 1970 as the sender has them")]
    tolerance_seconds: Annotated[int, Field(description="How far the timestamp may be from now")]
    username: str | None


class SystemOfRecord(Contract):
    """Whose word counts, by resource and member: `{"contacts": ["custom.credit_limit"]}`.

    What a source owns is written as it says; what it yields it never writes. Of everything else it changes what it wrote
    itself and fills what is empty.
    """

    owns: dict[str, list[str]]
    yields: dict[str, list[str]]


class Pull(Contract):
    """How a shop is asked for what it has. Its credentials are in no answer."""

    base_url: Annotated[str, Field(description="Where the shop is: its own host, or the address of the WordPress site")]
    api_version: Annotated[str | None, Field(description="Of Shopify's Admin API; null of others")]
    resources: list[Annotated[str, known(PullResource)]]
    every_seconds: Annotated[
        int | None, Field(description="How often the shop is asked for what has changed; null: only when told to")
    ]


class InboundSource(Entity):
    """A shop, an ERP or another system whose webhooks are taken in."""

    id: Annotated[InboundSourceId, OPEN]
    name: Annotated[str, OPEN]
    kind: Annotated[str, known(SourceKind), OPEN]
    system: Annotated[
        str, Field(description="What its ids stand under in `external_ids`, and the `source` of its orders"), OPEN
    ]
    is_active: Annotated[bool, OPEN]
    path: Annotated[str, Field(description="Where it posts to"), OPEN]
    authentication: Annotated[Authentication | None, OPEN]
    receive_id: Annotated[str | None, Field(description="Of WeCom the corp id, of DingTalk the app key"), OPEN]
    topic_header: Annotated[str | None, OPEN]
    topic_expression: Annotated[str | None, OPEN]
    dedupe_expression: Annotated[str | None, OPEN]
    dedupe_window_seconds: Annotated[int, OPEN]
    country: Annotated[str | None, Field(description="Of phone numbers that name none; null: the tenant's"), OPEN]
    currency: Annotated[str | None, Field(description="Of prices that name none"), OPEN]
    mappings: Annotated[
        dict[str, Any] | None, Field(description="By topic, in place of the ready ones; null: the ready ones"), OPEN
    ]
    system_of_record: Annotated[SystemOfRecord, OPEN]
    on_ambiguous: Annotated[
        str, known(OnAmbiguous), Field(description="Where several contacts could be the person"), OPEN
    ]
    max_body_bytes: Annotated[int, OPEN]
    secret_rotated_at: Annotated[Timestamp, OPEN]
    previous_secret_until: Annotated[Timestamp | None, Field(description="Until then the one before counts too"), OPEN]
    pull: Annotated[Pull | None, OPEN] = None


class SyncConflict(Entity):
    """Two systems said different things of one member of a record, and one of them was not heard."""

    id: Annotated[SyncConflictId, OPEN]
    source_id: Annotated[InboundSourceId, OPEN]
    delivery_id: Annotated[InboundDeliveryId, OPEN]
    resource: Annotated[str, OPEN]
    record_id: Annotated[str, OPEN]
    contact_id: Annotated[ContactId | None, Field(description="Whom it tells of, where that is a contact"), OPEN]
    member: Annotated[str, OPEN]
    theirs: Annotated[JsonValue, PRIVATE]
    ours: Annotated[JsonValue, PRIVATE]
    winner: Annotated[str, known(ConflictWinner), OPEN]
    reason: Annotated[
        str, Field(description="owned, yielded, owned_by_another, or changed_here: somebody else wrote it since"), OPEN
    ]


def contact_of(record_id: str) -> ContactId | None:
    """The record, where it is a contact."""
    return ContactId(record_id) if prefix_of(record_id) == ContactId.prefix else None
