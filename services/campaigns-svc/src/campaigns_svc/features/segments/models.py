"""The tables of segments and of who belongs to them."""

from crm_kit.db.models import CodePointText, EntityRow
from sqlalchemy import Index, Text
from sqlmodel import Field

from campaigns_svc.base import Base


class SegmentRow(EntityRow, Base, table=True):
    """`member_count` is changed under the row's lock, with the members."""

    __tablename__ = "segment"
    __table_args__ = (
        Index("segment_created", "tenant_id", "created_at", "id"),
        Index("segment_name", "tenant_id", "name", "id"),
    )

    name: str = Field(sa_type=CodePointText, nullable=False)
    description: str | None = Field(default=None, sa_type=Text)
    member_count: int = Field(default=0, nullable=False)


class SegmentMemberRow(EntityRow, Base, table=True):
    __tablename__ = "segment_member"
    __table_args__ = (
        Index("segment_member_once", "tenant_id", "segment_id", "contact_id", unique=True),
        Index("segment_member_contact", "tenant_id", "contact_id", "segment_id", "id"),
        Index("segment_member_order", "tenant_id", "segment_id", "id"),
        Index("segment_member_created", "tenant_id", "segment_id", "created_at", "id"),
    )

    segment_id: str = Field(sa_type=CodePointText, nullable=False)
    contact_id: str = Field(sa_type=CodePointText, nullable=False)
