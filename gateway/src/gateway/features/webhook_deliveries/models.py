"""The tables of deliveries and replays."""

from datetime import datetime
from typing import Any

from crm_kit.db.models import CodePointText, Moment, TenantRow, json_column, text_list_column
from sqlalchemy import BigInteger, Index, LargeBinary, Text, text
from sqlmodel import Field

from gateway.base import Base

_WAITING = text("status = 'waiting'")


class WebhookDeliveryRow(TenantRow, Base, table=True):
    """One event for one endpoint, from its first attempt on.

    `position`: in the journal, where its body is; of what is not there `body` holds it. `held`: it waits behind an earlier one
    of its subject. `log`: its newest attempts, the last one last. `replay_id`: by which replay it is told once more.
    """

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        Index("webhook_delivery_endpoint", "tenant_id", "endpoint_id", "created_at", "id"),
        Index("webhook_delivery_position", "tenant_id", "endpoint_id", "position"),
        Index("webhook_delivery_subject", "tenant_id", "subject"),
        Index("webhook_delivery_waiting", "tenant_id", "endpoint_id", "due_at", "id", postgresql_where=_WAITING),
        Index("webhook_delivery_over", "created_at", postgresql_where=text("status <> 'waiting'")),
    )

    id: str = Field(primary_key=True, sa_type=CodePointText)
    endpoint_id: str = Field(sa_type=CodePointText, nullable=False)
    event_id: str = Field(sa_type=CodePointText, nullable=False)
    type: str = Field(sa_type=CodePointText, nullable=False)
    subject: str = Field(sa_type=CodePointText, nullable=False)
    position: int | None = Field(default=None, sa_type=BigInteger)
    body: bytes | None = Field(default=None, sa_type=LargeBinary)
    replay_id: str | None = Field(default=None, sa_type=CodePointText)
    status: str = Field(sa_type=Text, nullable=False)
    held: bool = Field(default=False, nullable=False)
    attempts: int = Field(nullable=False)
    due_at: datetime | None = Field(default=None, sa_type=Moment)
    created_at: datetime = Field(sa_type=Moment, nullable=False)
    finished_at: datetime | None = Field(default=None, sa_type=Moment)
    response_status: int | None = Field(default=None)
    error: str | None = Field(default=None, sa_type=Text)
    log: list[dict[str, Any]] = json_column(list)


class WebhookReplayRow(TenantRow, Base, table=True):
    """Events that are told once more: those behind `position` up to `until` which fit."""

    __tablename__ = "webhook_replay"
    __table_args__ = (Index("webhook_replay_endpoint", "tenant_id", "endpoint_id", "id"),)

    id: str = Field(primary_key=True, sa_type=CodePointText)
    endpoint_id: str = Field(sa_type=CodePointText, nullable=False)
    position: int = Field(sa_type=BigInteger, nullable=False)
    until: int = Field(sa_type=BigInteger, nullable=False)
    from_at: datetime | None = Field(default=None, sa_type=Moment)
    until_at: datetime | None = Field(default=None, sa_type=Moment)
    kinds: list[str] = text_list_column()
    customer_id: str | None = Field(default=None, sa_type=CodePointText)
    events: int = Field(default=0, sa_type=BigInteger, nullable=False)
    done: bool = Field(default=False, nullable=False)
