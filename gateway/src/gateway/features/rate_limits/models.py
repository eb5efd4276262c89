"""The rate_bucket table: unlogged, for after a crash every quota may as well be whole."""

from datetime import datetime

from crm_kit.db.models import CodePointText, Moment, TenantRow
from sqlalchemy import Double, Index
from sqlmodel import Field

from gateway.base import Base


class RateBucketRow(TenantRow, Base, table=True):
    """`level` requests were left to `subject`, a key, a user or the tenant itself, at `at`."""

    __tablename__ = "rate_bucket"
    __table_args__ = (Index("rate_bucket_at", "at"),)

    subject: str = Field(primary_key=True, sa_type=CodePointText)
    level: float = Field(sa_type=Double, nullable=False)
    at: datetime = Field(sa_type=Moment, nullable=False)
