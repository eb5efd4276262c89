"""The tables of merges."""

from datetime import datetime
from typing import Any

from crm_kit.db.models import CodePointText, EntityRow, Moment, json_column, text_list_column
from sqlalchemy import Index, Text
from sqlmodel import Field

from contacts_svc.base import Base


class MergeRow(EntityRow, Base, table=True):
    """`before` and `after`: the survivor, as it would be without this merge and with it; later undoings change both.

    `rules`: by member, as the merge was asked for.
    """

    __tablename__ = "merge"
    __table_args__ = (
        Index("merge_created", "tenant_id", "created_at", "id"),
        Index("merge_into", "tenant_id", "into_id", "id"),
    )

    into_id: str = Field(sa_type=CodePointText, nullable=False)
    from_ids: list[str] = text_list_column()
    status: str = Field(default="merged", sa_type=Text, nullable=False)
    actor_id: str | None = Field(default=None, sa_type=CodePointText)
    undone_at: datetime | None = Field(default=None, sa_type=Moment)
    rules: dict[str, str] = json_column(dict)
    before: dict[str, Any] = json_column(dict)
    after: dict[str, Any] = json_column(dict)
