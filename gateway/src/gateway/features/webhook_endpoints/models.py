"""The webhook_endpoint table."""

from datetime import datetime
from typing import Any, Final

from crm_kit.db.models import CodePointText, EntityRow, Moment, TenantRow, text_list_column, utc_now
from crm_kit.resealing import SealedTable
from sqlalchemy import BigInteger, Index, LargeBinary, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from gateway.base import Base


class WebhookEndpointRow(EntityRow, Base, table=True):
    """`secret`, `old_secret` and `headers` are sealed. `user_id`, `roles` and `scopes`: with whose rights events are seen."""

    __tablename__ = "webhook_endpoint"
    __table_args__ = (Index("webhook_endpoint_created", "tenant_id", "created_at", "id"),)

    url: str | None = Field(default=None, sa_type=CodePointText)
    description: str | None = Field(default=None, sa_type=Text)
    kinds: list[str] = text_list_column()
    where: Any = Field(default=None, sa_type=JSONB(none_as_null=True), nullable=True)
    fields: Any = Field(default=None, sa_type=JSONB(none_as_null=True), nullable=True)
    header_names: list[str] = text_list_column()
    headers: bytes | None = Field(default=None, sa_type=LargeBinary)
    ordering: str = Field(sa_type=Text, nullable=False)
    rate_limit: int | None = Field(default=None)
    batch_size: int = Field(nullable=False)
    payload_version: str = Field(sa_type=Text, nullable=False)
    transport: str = Field(sa_type=Text, nullable=False)
    skip_origins: list[str] = text_list_column()
    status: str = Field(default="active", sa_type=Text, nullable=False)
    status_reason: str | None = Field(default=None, sa_type=Text)
    status_at: datetime = Field(default_factory=utc_now, sa_type=Moment, nullable=False)
    secret: bytes = Field(sa_type=LargeBinary, nullable=False)
    old_secret: bytes | None = Field(default=None, sa_type=LargeBinary)
    old_secret_ends_at: datetime | None = Field(default=None, sa_type=Moment)
    user_id: str | None = Field(default=None, sa_type=CodePointText)
    roles: list[str] = text_list_column()
    scopes: list[str] = text_list_column()
    region: str = Field(sa_type=Text, nullable=False)

    @property
    def previous_secret_until(self) -> datetime | None:
        """The contract's name. The column keeps its first one, by which processes of the release before find it."""
        return self.old_secret_ends_at


SEALED_FOR: Final = "webhook-endpoints"
SEALED: Final = SealedTable(
    "webhook_endpoint",
    dict.fromkeys(("secret", "old_secret", "headers"), SEALED_FOR),
    "rotate each endpoint's secret",
)


class WebhookProgressRow(TenantRow, Base, table=True):
    """How far an endpoint has come.

    `position`: in the journal; all before it is delivered, or waits as a delivery. `snapshot`: where in the present state it is,
    while it is told that first. `replays`: whether a replay is under way. `is_on`: whether it is pushed to at present. `due_at`:
    when the next of its waiting deliveries is; `rest_until`: before that it is asked nothing. `failures`: requests that failed
    since the last that did not. `changed_at`: since when somebody else than its sender has set this.
    """

    __tablename__ = "webhook_progress"

    endpoint_id: str = Field(primary_key=True, sa_type=CodePointText)
    position: int = Field(sa_type=BigInteger, nullable=False)
    snapshot: str | None = Field(default=None, sa_type=CodePointText)
    is_on: bool = Field(nullable=False)
    due_at: datetime | None = Field(default=None, sa_type=Moment)
    rest_until: datetime | None = Field(default=None, sa_type=Moment)
    failures: int = Field(default=0, nullable=False)
    failing_since: datetime | None = Field(default=None, sa_type=Moment)
    last_success_at: datetime | None = Field(default=None, sa_type=Moment)
    replays: bool = Field(default=False, nullable=False)
    changed_at: datetime = Field(default_factory=utc_now, sa_type=Moment, nullable=False)
