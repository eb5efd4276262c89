"""What is known of a tenant's contacts as a whole."""

from datetime import datetime
from typing import Any

from crm_kit.db.models import Moment, TenantRow, json_column, utc_now
from sqlmodel import Field

from contacts_svc.base import Base


class DuplicateStatisticsRow(TenantRow, Base, table=True):
    """One a tenant. `content`: as `matching/rules/stored.py` writes it."""

    __tablename__ = "duplicate_statistics"

    content: dict[str, Any] = json_column(dict)
    made_at: datetime = Field(default_factory=utc_now, sa_type=Moment, nullable=False)
