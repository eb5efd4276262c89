"""The tenant table. A tenant is its own tenant: `tenant_id` = `id`, so that row-level security holds for it too."""

from crm_kit.db.models import CodePointText, EntityRow
from sqlalchemy import Index, Text
from sqlmodel import Field

from gateway.base import Base


class TenantEntityRow(EntityRow, Base, table=True):
    __tablename__ = "tenant"
    __table_args__ = (Index("tenant_created", "created_at", "id"),)

    name: str = Field(sa_type=CodePointText, nullable=False)
    region: str = Field(sa_type=Text, nullable=False)
