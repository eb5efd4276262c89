"""The journal's tables."""

from datetime import datetime

from crm_kit.db.models import CodePointText, Moment, TenantRow
from sqlalchemy import BigInteger, Index, LargeBinary, text
from sqlmodel import Field

from gateway.base import Base


class JournalRow(TenantRow, Base, table=True):
    """A tenant's journal: `last` is the position of its newest event, `forgotten` that of the newest one that is gone.

    Whoever appends holds this row, so that positions become visible in their order. It is there once a tenant has an
    endpoint; of a tenant without one nothing is kept.
    """

    __tablename__ = "webhook_journal"

    last: int = Field(default=0, sa_type=BigInteger, nullable=False)
    forgotten: int = Field(default=0, sa_type=BigInteger, nullable=False)


class JournalEventRow(TenantRow, Base, table=True):
    """One event. `body` is the CloudEvent in JSON, whole, as it is sent to who may see all of it."""

    __tablename__ = "webhook_event"
    __table_args__ = (
        Index("webhook_event_event", "tenant_id", "event_id", unique=True),
        Index("webhook_event_subject", "tenant_id", "subject", "position"),
        Index("webhook_event_contact", "tenant_id", "contact_id", "position", postgresql_where=text("contact_id is not null")),
        Index("webhook_event_tenant_stored", "tenant_id", "stored_at", "position"),
        Index("webhook_event_stored", "stored_at"),
    )  # fmt: skip

    position: int = Field(primary_key=True, sa_type=BigInteger)
    event_id: str = Field(sa_type=CodePointText, nullable=False)
    type: str = Field(sa_type=CodePointText, nullable=False)
    subject: str = Field(sa_type=CodePointText, nullable=False)
    time: datetime = Field(sa_type=Moment, nullable=False)
    stored_at: datetime = Field(sa_type=Moment, nullable=False)
    actor_id: str | None = Field(default=None, sa_type=CodePointText)
    contact_id: str | None = Field(default=None, sa_type=CodePointText)
    account_id: str | None = Field(default=None, sa_type=CodePointText)
    correlation_id: str | None = Field(default=None, sa_type=CodePointText)
    hops: int = Field(default=0, nullable=False)
    body: bytes = Field(sa_type=LargeBinary, nullable=False)
