"""The order table, and the counter that gives numbers to orders that have none."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from crm_contracts.types import Money
from crm_kit.db.models import CodePointText, Moment, json_column
from sqlalchemy import Index, Numeric, Text, text
from sqlmodel import Field

from pipeline_svc.base import Base
from pipeline_svc.sales.models import CounterRow, SoldRow, number_index, sold_indexes

_REFUNDED = text("refunded_at is not null")


class OrderRow(SoldRow, Base, table=True):
    """`total_amount` has no scale, so that 1999.00 stays 1999.00; `refunded_amount` is in the same currency, and null where there
    are no refunds; `refunded_at` is the time of the newest.
    """

    __tablename__ = "sales_order"  # `order` is a word of SQL
    __table_args__ = (
        *sold_indexes("order", "placed_at"),
        number_index("order"),
        Index("order_placed", "tenant_id", "placed_at", "id"),
        Index("order_contact_refunded", "tenant_id", "contact_id", "refunded_at", "id", postgresql_where=_REFUNDED),
        Index("order_account_refunded", "tenant_id", "account_id", "refunded_at", "id", postgresql_where=_REFUNDED),
    )

    number: str = Field(sa_type=CodePointText, nullable=False)
    lines: list[dict[str, Any]] = json_column(list)
    total_amount: Decimal = Field(sa_type=Numeric, nullable=False)
    total_currency: str = Field(sa_type=CodePointText, nullable=False)
    status: str = Field(default="pending", sa_type=Text, nullable=False)
    placed_at: datetime = Field(sa_type=Moment, nullable=False)
    refunds: list[dict[str, Any]] = json_column(list, later=True)
    refunded_amount: Decimal | None = Field(default=None, sa_type=Numeric)
    refunded_at: datetime | None = Field(default=None, sa_type=Moment)

    @property
    def total(self) -> Money:
        return Money(amount=self.total_amount, currency=self.total_currency)

    @property
    def refunded_total(self) -> Money | None:
        if self.refunded_amount is None:
            return None
        return Money(amount=self.refunded_amount, currency=self.total_currency)


class OrderCounterRow(CounterRow, Base, table=True):
    __tablename__ = "order_counter"
