"""The table of deliveries."""

from datetime import datetime
from typing import Any

from crm_kit.db.models import CodePointText, EntityRow, Moment, json_column
from sqlalchemy import BigInteger, Index, LargeBinary, Text, text
from sqlmodel import Field

from gateway.base import Base

_WAITING = text("status = 'waiting'")
_REPLAYED = text("replay_id is not null")


class WebhookDeliveryRow(EntityRow, Base, table=True):
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
        Index("webhook_delivery_replay", "tenant_id", "replay_id", "created_at", "id", postgresql_where=_REPLAYED),
        Index("webhook_delivery_over", "created_at", postgresql_where=text("status <> 'waiting'")),
    )

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
    finished_at: datetime | None = Field(default=None, sa_type=Moment)
    response_status: int | None = Field(default=None)
    error: str | None = Field(default=None, sa_type=Text)
    log: list[dict[str, Any]] = json_column(list)
