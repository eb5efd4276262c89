"""The tables of retention rules, of their runs, and of when something was last done with a contact elsewhere."""

from datetime import datetime
from typing import Any

from crm_kit.db.models import CodePointText, EntityRow, Moment, TenantRow, json_column
from sqlalchemy import BigInteger, Index, Integer, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from contacts_svc.base import Base


class RetentionRuleRow(EntityRow, Base, table=True):
    __tablename__ = "retention_rule"
    __table_args__ = (Index("retention_rule_created", "tenant_id", "created_at", "id"),)

    name: str = Field(sa_type=CodePointText, nullable=False)
    resource: str = Field(sa_type=Text, nullable=False)
    where: dict[str, Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    counted_from: str = Field(sa_type=Text, nullable=False)
    after_days: int = Field(sa_type=Integer, nullable=False)
    action: str = Field(sa_type=Text, nullable=False)
    reason: str = Field(sa_type=Text, nullable=False)
    active: bool = Field(default=True, nullable=False)
    effective_at: datetime = Field(sa_type=Moment, nullable=False)
    last_run: dict[str, Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))


class RetentionRunRow(TenantRow, Base, table=True):
    """`place`: time and id of the last record that was looked at. `failures`: some of those that were refused."""

    __tablename__ = "retention_run"
    __table_args__ = (Index("retention_run_rule", "tenant_id", "rule_id", "id"),)

    id: str = Field(primary_key=True, sa_type=CodePointText)
    rule_id: str = Field(sa_type=CodePointText, nullable=False)
    status: str = Field(default="running", sa_type=Text, nullable=False)
    started_at: datetime = Field(sa_type=Moment, nullable=False)
    finished_at: datetime | None = Field(default=None, sa_type=Moment)
    done: int = Field(default=0, sa_type=BigInteger, nullable=False)
    held: int = Field(default=0, sa_type=BigInteger, nullable=False)
    failed: int = Field(default=0, sa_type=BigInteger, nullable=False)
    place: list[Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    failures: list[dict[str, Any]] = json_column(list)


class LastActivityRow(TenantRow, Base, table=True):
    """When a deal, an order or a ticket that names a contact changed last."""

    __tablename__ = "last_activity"

    contact_id: str = Field(primary_key=True, sa_type=CodePointText)
    last_at: datetime = Field(sa_type=Moment, nullable=False)
