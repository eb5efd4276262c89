"""The pool table, and who claimed lately."""

from datetime import datetime

from crm_kit.db.models import CodePointText, EntityRow, Moment, TenantRow, text_list_column
from sqlalchemy import Index
from sqlmodel import Field

from contacts_svc.base import Base


class PoolRow(EntityRow, Base, table=True):
    __tablename__ = "pool"
    __table_args__ = (Index("pool_created", "tenant_id", "created_at", "id"),)

    name: str = Field(sa_type=CodePointText, nullable=False)
    team_ids: list[str] = text_list_column()
    claim_limit_per_day: int | None = None
    hold_limit: int | None = None
    return_after_days: int | None = None
    reclaim_after_days: int = Field(default=0, nullable=False)


class PoolClaimRow(TenantRow, Base, table=True):
    """One claim of the last day: what the limit of a day is counted by."""

    __tablename__ = "pool_claim"
    __table_args__ = (Index("pool_claim_user", "tenant_id", "pool_id", "user_id", "at"),)

    contact_id: str = Field(primary_key=True, sa_type=CodePointText)
    at: datetime = Field(primary_key=True, sa_type=Moment)
    pool_id: str = Field(sa_type=CodePointText, nullable=False)
    user_id: str = Field(sa_type=CodePointText, nullable=False)
