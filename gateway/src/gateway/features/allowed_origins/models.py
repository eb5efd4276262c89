"""The allowed_origin table."""

from crm_kit.db.models import CodePointText, EntityRow
from sqlalchemy import Index
from sqlmodel import Field

from gateway.base import Base


class AllowedOriginRow(EntityRow, Base, table=True):
    __tablename__ = "allowed_origin"
    __table_args__ = (
        Index("allowed_origin_once", "tenant_id", "origin", unique=True),
        Index("allowed_origin_created", "tenant_id", "created_at", "id"),
    )

    name: str = Field(sa_type=CodePointText, nullable=False)
    origin: str = Field(sa_type=CodePointText, nullable=False)
