"""The tables of what sources have sent, of what has been written of it, and of what is being worked on."""

from datetime import datetime
from typing import Any, Final

from crm_kit.db.models import CodePointText, EntityRow, Moment, TenantRow, json_column, keys_index, text_list_column
from crm_kit.resealing import SealedTable
from sqlalchemy import Index, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from gateway.base import Base


class InboundDeliveryRow(EntityRow, Base, table=True):
    """`due_at`: when somebody is to look at it, or until when somebody does; null when it is over.

    `written`: how many of its records are; `runs`: how often it was begun anew. `contact_ids`: whom it tells of.
    """

    __tablename__ = "inbound_delivery"
    __table_args__ = (
        Index("inbound_delivery_created", "tenant_id", "created_at", "id"),
        Index("inbound_delivery_source", "tenant_id", "source_id", "created_at", "id"),
        Index("inbound_delivery_status", "tenant_id", "status", "created_at", "id"),
        Index(
            "inbound_delivery_external", "tenant_id", "external_id", postgresql_where=text("external_id is not null")
        ),
        Index("inbound_delivery_once", "tenant_id", "source_id", "dedupe_key", unique=True),
        Index(
            "inbound_delivery_due",
            "tenant_id",
            "source_id",
            "due_at",
            "id",
            postgresql_where=text("due_at is not null"),
        ),
        keys_index("inbound_delivery_contacts", "contact_ids"),
        Index(
            "inbound_delivery_backfill",
            "tenant_id",
            "backfill_id",
            "created_at",
            "id",
            postgresql_where=text("backfill_id is not null"),
        ),
    )

    source_id: str = Field(sa_type=CodePointText, nullable=False)
    status: str = Field(sa_type=Text, nullable=False)
    topic: str = Field(sa_type=CodePointText, nullable=False)
    sender_id: str | None = Field(default=None, sa_type=CodePointText)
    external_id: str | None = Field(default=None, sa_type=CodePointText)
    dedupe_key: bytes = Field(sa_type=LargeBinary, nullable=False)
    sent_at: datetime | None = Field(default=None, sa_type=Moment)
    size: int = Field(nullable=False)
    attempts: int = Field(default=0, nullable=False)
    runs: int = Field(default=0, nullable=False)
    written: int = Field(default=0, nullable=False)
    planned: int | None = Field(default=None)
    reason: str | None = Field(default=None, sa_type=Text)
    detail: str | None = Field(default=None, sa_type=Text)
    faults: list[dict[str, Any]] = json_column(list)
    refs: list[dict[str, Any]] = json_column(list)
    contact_ids: list[str] = text_list_column()
    processed_at: datetime | None = Field(default=None, sa_type=Moment)
    due_at: datetime | None = Field(default=None, sa_type=Moment)
    backfill_id: str | None = Field(default=None, sa_type=CodePointText)


class InboundPayloadRow(TenantRow, Base, table=True):
    """What was sent, byte for byte, apart from its delivery, which is listed."""

    __tablename__ = "inbound_payload"

    id: str = Field(primary_key=True, sa_type=CodePointText)
    content_type: str = Field(sa_type=CodePointText, nullable=False)
    headers: dict[str, Any] = json_column(dict)
    body: bytes = Field(sa_type=LargeBinary, nullable=False)


class InboundAppliedRow(TenantRow, Base, table=True):
    """What of a source's record was written last. `key`: its id at the source; of a person, the contact's here.

    `said`: by member, digests alone (`inbound/merging.py`).
    """

    __tablename__ = "inbound_applied"
    __table_args__ = (Index("inbound_applied_record", "tenant_id", "record_id"),)

    source_id: str = Field(primary_key=True, sa_type=CodePointText)
    resource: str = Field(primary_key=True, sa_type=CodePointText)
    key: str = Field(primary_key=True, sa_type=CodePointText)
    record_id: str | None = Field(default=None, sa_type=CodePointText)
    said: Any = Field(default=None, sa_type=JSONB(none_as_null=True), nullable=True)
    updated_at: datetime = Field(sa_type=Moment, nullable=False)


class InboundHoldRow(TenantRow, Base, table=True):
    """Whom or what a delivery is being written about, by digest, so that no two make one person twice."""

    __tablename__ = "inbound_hold"

    key: str = Field(primary_key=True, sa_type=CodePointText)
    delivery_id: str = Field(sa_type=CodePointText, nullable=False)
    until: datetime = Field(sa_type=Moment, nullable=False)


class InboundDigestKeyRow(TenantRow, Base, table=True):
    """Under what the tenant's digests are made, sealed."""

    __tablename__ = "inbound_digest_key"

    sealed: bytes = Field(sa_type=LargeBinary, nullable=False)


DIGEST_SEALED_FOR: Final = "inbound-digests"
SEALED: Final = SealedTable(
    "inbound_digest_key",
    {"sealed": DIGEST_SEALED_FOR},
    "delete these rows: what sources said before then counts as written here",
    key="tenant_id",
)
