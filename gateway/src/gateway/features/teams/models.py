"""The team table."""

from crm_kit.db.models import CodePointText, EntityRow
from sqlalchemy import Index
from sqlmodel import Field

from gateway.base import Base


class TeamRow(EntityRow, Base, table=True):
    __tablename__ = "team"
    __table_args__ = (
        Index("team_created", "tenant_id", "created_at", "id"),
        Index("team_parent", "tenant_id", "parent_id"),
    )

    name: str = Field(sa_type=CodePointText, nullable=False)
    parent_id: str | None = Field(default=None, sa_type=CodePointText)
