"""What is known of a tenant's contacts as a whole, and which of them are probably one."""

from datetime import datetime
from typing import Any

from crm_kit.db.models import CodePointText, EntityRow, Moment, TenantRow, json_column, utc_now
from sqlalchemy import ARRAY, Index, Integer, Text
from sqlmodel import Field

from contacts_svc.base import Base


class DuplicateStatisticsRow(TenantRow, Base, table=True):
    """One a tenant. `content`: as `matching/rules/stored.py` writes it."""

    __tablename__ = "duplicate_statistics"

    content: dict[str, Any] = json_column(dict)
    made_at: datetime = Field(default_factory=utc_now, sa_type=Moment, nullable=False)


class DuplicateBlockRow(TenantRow, Base, table=True):
    """The contacts that share a match key, the oldest first; none where too many do. Only while a scan lasts."""

    __tablename__ = "duplicate_block"

    key: int = Field(primary_key=True, sa_type=Integer)
    ids: list[str] = Field(sa_type=ARRAY(CodePointText), nullable=False)


class DuplicatePairRow(EntityRow, Base, table=True):
    """Two contacts that a scan has found, the older first. `why` and `contradictions`: as they were then."""

    __tablename__ = "duplicate_pair"
    __table_args__ = (
        Index("duplicate_pair_once", "tenant_id", "newer_id", "older_id", unique=True),
        Index("duplicate_pair_older", "tenant_id", "older_id"),
        Index("duplicate_pair_score", "tenant_id", "status", "score", "id"),
    )

    older_id: str = Field(sa_type=CodePointText, nullable=False)
    newer_id: str = Field(sa_type=CodePointText, nullable=False)
    score: float = Field(nullable=False)
    why: list[dict[str, Any]] = json_column(list)
    contradictions: list[str] = json_column(list)
    may_merge: bool = Field(default=False, nullable=False)
    status: str = Field(default="open", sa_type=Text, nullable=False)
