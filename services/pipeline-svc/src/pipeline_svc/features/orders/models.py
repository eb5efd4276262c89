"""The order table, and the counter that gives numbers to orders that have none."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from crm_contracts.types import Money
from crm_kit.db.models import CodePointText, EntityRow, Moment, TenantRow, json_column, text_list_column
from crm_kit.rights import shares_column
from sqlalchemy import BigInteger, Index, Numeric, Text, text
from sqlmodel import Field

from pipeline_svc.base import Base


class OrderRow(EntityRow, Base, table=True):
    """`total_amount` has no scale, so that 1999.00 stays 1999.00. Orders without source are of one source."""

    __tablename__ = "sales_order"  # `order` is a word of SQL
    __table_args__ = (
        Index("order_created", "tenant_id", "created_at", "id"),
        Index("order_updated", "tenant_id", "updated_at", "id"),
        Index("order_placed", "tenant_id", "placed_at", "id"),
        Index("order_owner", "tenant_id", "owner_id", "id"),
        Index("order_team", "tenant_id", "team_id", "id"),
        Index("order_contact", "tenant_id", "contact_id", "placed_at", "id"),
        Index("order_account", "tenant_id", "account_id", "placed_at", "id"),
        Index("order_number", "tenant_id", "number", "source", unique=True, postgresql_nulls_not_distinct=True),
        Index(
            "order_external_id",
            "tenant_id",
            "external_id",
            "source",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text("external_id is not null"),
        ),
        Index("order_tags", "tags", postgresql_using="gin"),
    )

    number: str = Field(sa_type=CodePointText, nullable=False)
    source: str | None = Field(default=None, sa_type=CodePointText)
    external_id: str | None = Field(default=None, sa_type=CodePointText)
    contact_id: str | None = Field(default=None, sa_type=CodePointText)
    account_id: str | None = Field(default=None, sa_type=CodePointText)
    lines: list[dict[str, Any]] = json_column(list)
    total_amount: Decimal = Field(sa_type=Numeric, nullable=False)
    total_currency: str = Field(sa_type=CodePointText, nullable=False)
    status: str = Field(default="pending", sa_type=Text, nullable=False)
    placed_at: datetime = Field(sa_type=Moment, nullable=False)
    tags: list[str] = text_list_column()
    custom: dict[str, Any] = json_column(dict)
    owner_id: str | None = Field(default=None, sa_type=CodePointText)
    team_id: str | None = Field(default=None, sa_type=CodePointText)
    shares: list[dict[str, Any]] = shares_column()

    @property
    def total(self) -> Money:
        return Money(amount=self.total_amount, currency=self.total_currency)


class OrderCounterRow(TenantRow, Base, table=True):
    """The last number that this service gave to an order of the tenant."""

    __tablename__ = "order_counter"

    last: int = Field(sa_type=BigInteger, nullable=False)
