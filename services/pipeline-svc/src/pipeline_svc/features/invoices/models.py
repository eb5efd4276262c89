"""The invoice table, and the counter that gives numbers to invoices that have none."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from crm_contracts.types import Money
from crm_kit.db.models import CodePointText, Moment, json_column
from sqlalchemy import Index, Numeric, Text, text
from sqlmodel import Field

from pipeline_svc.base import Base
from pipeline_svc.features.invoices import rules
from pipeline_svc.sales.models import CounterRow, SoldRow, number_index, sold_indexes

_OPEN = text("status = 'open'")


class InvoiceRow(SoldRow, Base, table=True):
    """`paid_amount`: what its payments come to, in the currency of the total; whoever changes a payment changes it, under the
    row's lock. `stated`: the state that was written, of which `status` follows.
    """

    __tablename__ = "invoice"
    __table_args__ = (
        *sold_indexes("invoice", "issued_at"),
        number_index("invoice"),
        Index("invoice_issued", "tenant_id", "issued_at", "id"),
        Index("invoice_due", "tenant_id", "due_at", "id"),
        Index("invoice_contact_due", "tenant_id", "contact_id", "due_at", "id", postgresql_where=_OPEN),
        Index("invoice_account_due", "tenant_id", "account_id", "due_at", "id", postgresql_where=_OPEN),
        Index("invoice_order", "tenant_id", "order_id", "id", postgresql_where=text("order_id is not null")),
    )

    number: str = Field(sa_type=CodePointText, nullable=False)
    order_id: str | None = Field(default=None, sa_type=CodePointText)
    lines: list[dict[str, Any]] = json_column(list)
    total_amount: Decimal = Field(sa_type=Numeric, nullable=False)
    total_currency: str = Field(sa_type=CodePointText, nullable=False)
    paid_amount: Decimal = Field(default=Decimal(0), sa_type=Numeric, nullable=False)
    status: str = Field(sa_type=Text, nullable=False)
    stated: str = Field(sa_type=Text, nullable=False)
    issued_at: datetime | None = Field(default=None, sa_type=Moment)
    due_at: date | None = None
    overdue: bool = Field(default=False, nullable=False)

    @property
    def total(self) -> Money:
        return self._money(self.total_amount)

    @property
    def amount_paid(self) -> Money:
        return self._money(rules.amount_paid(self.paid_amount, self.total_amount))

    @property
    def amount_due(self) -> Money:
        return self._money(rules.amount_due(self.status, self.total_amount, self.paid_amount))

    def _money(self, amount: Decimal) -> Money:
        return Money(amount=amount, currency=self.total_currency)


class InvoiceCounterRow(CounterRow, Base, table=True):
    __tablename__ = "invoice_counter"
