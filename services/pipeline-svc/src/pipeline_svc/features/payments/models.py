"""The payment table."""

from datetime import datetime
from decimal import Decimal

from crm_contracts.types import Money
from crm_kit.db.models import CodePointText, Moment
from sqlalchemy import Index, Numeric, Text, text
from sqlmodel import Field

from pipeline_svc.base import Base
from pipeline_svc.sales.models import SoldRow, sold_indexes


class PaymentRow(SoldRow, Base, table=True):
    """`amount_value` has no scale, so that 1999.00 stays 1999.00. `at`: when it was paid, else when it was written."""

    __tablename__ = "payment"
    __table_args__ = (
        *sold_indexes("payment", "at"),
        Index("payment_paid", "tenant_id", "paid_at", "id"),
        Index("payment_invoice", "tenant_id", "invoice_id", "id", postgresql_where=text("invoice_id is not null")),
        Index("payment_order", "tenant_id", "order_id", "id", postgresql_where=text("order_id is not null")),
    )

    kind: str = Field(sa_type=Text, nullable=False)
    order_id: str | None = Field(default=None, sa_type=CodePointText)
    invoice_id: str | None = Field(default=None, sa_type=CodePointText)
    amount_value: Decimal = Field(sa_type=Numeric, nullable=False)
    amount_currency: str = Field(sa_type=CodePointText, nullable=False)
    method: str | None = Field(default=None, sa_type=CodePointText)
    status: str = Field(sa_type=Text, nullable=False)
    paid_at: datetime | None = Field(default=None, sa_type=Moment)
    at: datetime = Field(sa_type=Moment, nullable=False)
    reference: str | None = Field(default=None, sa_type=CodePointText)

    @property
    def amount(self) -> Money:
        return Money(amount=self.amount_value, currency=self.amount_currency)
