"""The role table; ready roles are in no row (`ready.py`)."""

from typing import Any

from crm_kit.db.models import CodePointText, EntityRow, json_column
from sqlalchemy import Index, Text
from sqlmodel import Field

from gateway.base import Base


class RoleRow(EntityRow, Base, table=True):
    __tablename__ = "role"
    __table_args__ = (
        Index("role_created", "tenant_id", "created_at", "id"),
        Index("role_name", "tenant_id", "name", unique=True),
    )

    name: str = Field(sa_type=CodePointText, nullable=False)
    description: str | None = Field(default=None, sa_type=Text)
    admin: bool = Field(default=False, nullable=False)
    grants: list[dict[str, Any]] = json_column(list)
