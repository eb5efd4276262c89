"""The inbound_source table."""

from datetime import datetime
from typing import Any, Final

from crm_kit.db.models import CodePointText, EntityRow, Moment, json_column
from crm_kit.resealing import SealedTable
from sqlalchemy import Index, LargeBinary, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from gateway.base import Base


class InboundSourceRow(EntityRow, Base, table=True):
    """`sealed`: its secrets, which open with the installation's alone; `previous_sealed` counts too, until its time;
    `pull_sealed`: what the shop is shown when it is asked.

    `region`: the tenant's, in whose name its deliveries are processed.
    """

    __tablename__ = "inbound_source"
    __table_args__ = (
        Index("inbound_source_created", "tenant_id", "created_at", "id"),
        Index("inbound_source_system", "tenant_id", "system", unique=True),
        Index("inbound_source_id", "id"),
    )

    name: str = Field(sa_type=CodePointText, nullable=False)
    kind: str = Field(sa_type=Text, nullable=False)
    system: str = Field(sa_type=CodePointText, nullable=False)
    is_active: bool = Field(nullable=False)
    authentication: Any = Field(default=None, sa_type=JSONB(none_as_null=True), nullable=True)
    receive_id: str | None = Field(default=None, sa_type=CodePointText)
    topic_header: str | None = Field(default=None, sa_type=Text)
    topic_expression: str | None = Field(default=None, sa_type=Text)
    dedupe_expression: str | None = Field(default=None, sa_type=Text)
    dedupe_window_seconds: int = Field(nullable=False)
    country: str | None = Field(default=None, sa_type=Text)
    currency: str | None = Field(default=None, sa_type=Text)
    mappings: Any = Field(default=None, sa_type=JSONB(none_as_null=True), nullable=True)
    system_of_record: dict[str, Any] = json_column(dict)
    on_ambiguous: str = Field(sa_type=Text, nullable=False)
    max_body_bytes: int = Field(nullable=False)
    region: str = Field(sa_type=Text, nullable=False)
    sealed: bytes = Field(sa_type=LargeBinary, nullable=False)
    secret_rotated_at: datetime = Field(sa_type=Moment, nullable=False)
    previous_sealed: bytes | None = Field(default=None, sa_type=LargeBinary)
    previous_secret_until: datetime | None = Field(default=None, sa_type=Moment)
    pull: Any = Field(default=None, sa_type=JSONB(none_as_null=True), nullable=True)
    pull_sealed: bytes | None = Field(default=None, sa_type=LargeBinary)


SEALED_FOR: Final = "inbound-source"
PULL_SEALED_FOR: Final = "inbound-source-pull"
SEALED: Final = SealedTable(
    "inbound_source",
    {"sealed": SEALED_FOR, "previous_sealed": SEALED_FOR, "pull_sealed": PULL_SEALED_FOR},
    "rotate each source's secret, and write its pull credentials anew",
)
