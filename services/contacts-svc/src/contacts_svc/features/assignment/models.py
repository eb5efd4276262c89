"""The territory table."""

from typing import Any

from crm_kit.db.models import CodePointText, EntityRow, id_column, json_column
from sqlalchemy import Index, Text
from sqlmodel import Field

from contacts_svc.base import Base


class TerritoryRow(EntityRow, Base, table=True):
    __tablename__ = "territory"
    __table_args__ = (
        Index("territory_created", "tenant_id", "created_at", "id"),
        Index("territory_order", "tenant_id", "resource", "position", "id"),
    )

    name: str = Field(sa_type=CodePointText, nullable=False)
    resource: str = Field(sa_type=Text, nullable=False)
    where: dict[str, Any] = json_column(dict)
    team_id: str = Field(sa_type=CodePointText, nullable=False)
    owner_id: str | None = id_column()
    position: int = Field(default=0, nullable=False)
    active: bool = Field(default=True, nullable=False)
