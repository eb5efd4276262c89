"""The sync_conflict table."""

from typing import Any

from crm_kit.db.models import CodePointText, EntityRow
from sqlalchemy import Index, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from gateway.base import Base


class SyncConflictRow(EntityRow, Base, table=True):
    """`contact_id`: whom it tells of, so that it goes where they are erased."""

    __tablename__ = "sync_conflict"
    __table_args__ = (
        Index("sync_conflict_created", "tenant_id", "created_at", "id"),
        Index("sync_conflict_record", "tenant_id", "record_id", "created_at", "id"),
        Index("sync_conflict_contact", "tenant_id", "contact_id", "id"),
    )

    source_id: str = Field(sa_type=CodePointText, nullable=False)
    delivery_id: str = Field(sa_type=CodePointText, nullable=False)
    resource: str = Field(sa_type=Text, nullable=False)
    record_id: str = Field(sa_type=CodePointText, nullable=False)
    contact_id: str | None = Field(default=None, sa_type=CodePointText)
    member: str = Field(sa_type=CodePointText, nullable=False)
    theirs: Any = Field(default=None, sa_type=JSONB(none_as_null=True), nullable=True)
    ours: Any = Field(default=None, sa_type=JSONB(none_as_null=True), nullable=True)
    winner: str = Field(sa_type=Text, nullable=False)
    reason: str = Field(sa_type=Text, nullable=False)
