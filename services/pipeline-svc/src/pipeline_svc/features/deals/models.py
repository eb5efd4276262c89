"""The deal table."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from crm_contracts.types import Money
from crm_kit.db.models import CodePointText, EntityRow, Moment, json_column, text_list_column
from crm_kit.rights import shares_column
from sqlalchemy import Index, Numeric, Text
from sqlmodel import Field

from pipeline_svc.base import Base


class DealRow(EntityRow, Base, table=True):
    """`amount_value` has no scale, so that 1999.00 stays 1999.00.

    `status` is the kind of the stage, `stage_entered_at` the `entered_at` of the last entry of `stage_history`.
    """

    __tablename__ = "deal"
    __table_args__ = (
        Index("deal_created", "tenant_id", "created_at", "id"),
        Index("deal_updated", "tenant_id", "updated_at", "id"),
        Index("deal_name", "tenant_id", "name", "id"),
        Index("deal_pipeline", "tenant_id", "pipeline_id", "id"),
        Index("deal_stage", "tenant_id", "stage_id", "id"),
        Index("deal_owner", "tenant_id", "owner_id", "id"),
        Index("deal_team", "tenant_id", "team_id", "id"),
        Index("deal_contact", "tenant_id", "contact_id", "created_at", "id"),
        Index("deal_contact_moved", "tenant_id", "contact_id", "stage_entered_at", "id"),
        Index("deal_account", "tenant_id", "account_id", "created_at", "id"),
        Index("deal_account_moved", "tenant_id", "account_id", "stage_entered_at", "id"),
        Index("deal_tags", "tags", postgresql_using="gin"),
    )

    name: str = Field(sa_type=CodePointText, nullable=False)
    pipeline_id: str = Field(sa_type=CodePointText, nullable=False)
    stage_id: str = Field(sa_type=CodePointText, nullable=False)
    status: str = Field(sa_type=Text, nullable=False)
    amount_value: Decimal | None = Field(default=None, sa_type=Numeric)
    amount_currency: str | None = Field(default=None, sa_type=CodePointText)
    expected_close: date | None = None
    contact_id: str | None = Field(default=None, sa_type=CodePointText)
    account_id: str | None = Field(default=None, sa_type=CodePointText)
    owner_id: str | None = Field(default=None, sa_type=CodePointText)
    lines: list[dict[str, Any]] = json_column(list)
    next_step: str | None = Field(default=None, sa_type=Text)
    closed_at: datetime | None = Field(default=None, sa_type=Moment)
    lost_reason: str | None = Field(default=None, sa_type=Text)
    stage_history: list[dict[str, Any]] = json_column(list)
    stage_entered_at: datetime = Field(sa_type=Moment, nullable=False)
    tags: list[str] = text_list_column()
    custom: dict[str, Any] = json_column(dict)
    team_id: str | None = Field(default=None, sa_type=CodePointText)
    shares: list[dict[str, Any]] = shares_column()

    @property
    def amount(self) -> Money | None:
        if self.amount_value is None or self.amount_currency is None:
            return None
        return Money(amount=self.amount_value, currency=self.amount_currency)
