"""The transfer table."""

from datetime import datetime
from typing import Any

from crm_kit.db.models import CodePointText, EntityRow, Moment, json_column, text_list_column
from sqlalchemy import Index, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from gateway.base import Base


class TransferRow(EntityRow, Base, table=True):
    """`credential`, `scopes` and `region`: of who asked for it, in whose name it is done. `tasks`: what is left to do, the
    next one last (`rules.py`); `pages` counts those that were changed.
    """

    __tablename__ = "transfer"
    __table_args__ = (
        Index("transfer_created", "tenant_id", "created_at", "id"),
        Index("transfer_requested_by", "tenant_id", "requested_by", "created_at", "id"),
    )

    resources: list[str] = text_list_column()
    from_user_id: str | None = Field(default=None, sa_type=CodePointText)
    where: Any = Field(default=None, sa_type=JSONB(none_as_null=True), nullable=True)
    ids: list[str] = text_list_column()
    to: dict[str, Any] = json_column(dict)
    follow: list[str] = text_list_column()
    dry_run: bool = Field(default=False, nullable=False)
    status: str = Field(default="pending", sa_type=Text, nullable=False)
    moved: dict[str, Any] = json_column(dict)
    failed: dict[str, Any] = json_column(dict)
    faults: list[dict[str, Any]] = json_column(list)
    error: str | None = Field(default=None, sa_type=Text)
    requested_by: str = Field(sa_type=CodePointText, nullable=False)
    started_at: datetime | None = Field(default=None, sa_type=Moment)
    finished_at: datetime | None = Field(default=None, sa_type=Moment)

    credential: str = Field(sa_type=CodePointText, nullable=False)
    scopes: list[str] = text_list_column()
    region: str = Field(sa_type=Text, nullable=False)
    tasks: list[dict[str, Any]] = json_column(list)
    pages: int = Field(default=0, nullable=False)
