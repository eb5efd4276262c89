"""The table of backfills."""

from datetime import datetime
from typing import Any

from crm_kit.db.models import CodePointText, EntityRow, Moment, json_column, text_list_column
from sqlalchemy import Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from gateway.base import Base


class InboundBackfillRow(EntityRow, Base, table=True):
    """`places`: where each resource stands (`rules.Place`), in their order. `failures` and `waits`: how often in a row the shop gave
    no answer, and how often it asked for patience; `error`: why it is to fail.
    """

    __tablename__ = "inbound_backfill"
    __table_args__ = (
        Index("inbound_backfill_source", "tenant_id", "source_id", "id"),
        Index(
            "inbound_backfill_open", "tenant_id", "source_id", unique=True,
            postgresql_where=text("status in ('pending', 'running')"),
        ),
    )  # fmt: skip

    source_id: str = Field(sa_type=CodePointText, nullable=False)
    trigger: str = Field(sa_type=Text, nullable=False)
    status: str = Field(default="pending", sa_type=Text, nullable=False)
    resources: list[str] = text_list_column()
    updated_since: datetime | None = Field(default=None, sa_type=Moment)
    places: list[dict[str, Any]] = json_column(list)
    failures: int = Field(default=0, nullable=False)
    waits: int = Field(default=0, nullable=False)
    trouble: str | None = Field(default=None, sa_type=Text)
    warning: str | None = Field(default=None, sa_type=Text)
    error: Any = Field(default=None, sa_type=JSONB(none_as_null=True), nullable=True)
    outcomes: Any = Field(default=None, sa_type=JSONB(none_as_null=True), nullable=True)
    job_id: str = Field(sa_type=CodePointText, nullable=False)
    requested_by: str = Field(sa_type=CodePointText, nullable=False)
    finished_at: datetime | None = Field(default=None, sa_type=Moment)
