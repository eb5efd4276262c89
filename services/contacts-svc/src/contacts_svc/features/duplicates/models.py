"""What is known of a tenant's contacts as a whole."""

from datetime import datetime
from typing import Any

from crm_kit.db.models import CodePointText, Moment, TenantRow, json_column, utc_now
from sqlalchemy import Index
from sqlmodel import Field

from contacts_svc.base import Base


class DuplicateStatisticsRow(TenantRow, Base, table=True):
    """One a tenant. `content`: as `matching/rules/stored.py` writes it."""

    __tablename__ = "duplicate_statistics"

    content: dict[str, Any] = json_column(dict)
    made_at: datetime = Field(default_factory=utc_now, sa_type=Moment, nullable=False)


class DuplicatePairRow(TenantRow, Base, table=True):
    """Two contacts that a scan has found, the older first. `why` and `contradictions`: as they were then."""

    __tablename__ = "duplicate_pair"
    __table_args__ = (
        Index("duplicate_pair_newer", "tenant_id", "newer_id"),
        Index("duplicate_pair_score", "tenant_id", "score"),
    )

    older_id: str = Field(primary_key=True, sa_type=CodePointText)
    newer_id: str = Field(primary_key=True, sa_type=CodePointText)
    score: float = Field(nullable=False)
    why: list[dict[str, Any]] = json_column(list)
    contradictions: list[str] = json_column(list)
    found_at: datetime = Field(default_factory=utc_now, sa_type=Moment, nullable=False)
