"""By what invoices are known, and what their payments come to."""

from collections.abc import Sequence
from decimal import Decimal

from crm_kit.db.session import ReadSession
from sqlalchemy import case, func, select

from pipeline_svc.base import METADATA
from pipeline_svc.features.invoices.errors import InvoiceExternalIdTaken, InvoiceNumberTaken
from pipeline_svc.features.invoices.models import InvoiceCounterRow, InvoiceRow
from pipeline_svc.sales.keys import SourceKey
from pipeline_svc.sales.numbers import NumberSeries

NUMBER = SourceKey(InvoiceRow, "number", "invoice.number", InvoiceNumberTaken, "invoice_id", "编号")
EXTERNAL_ID = SourceKey(InvoiceRow, "external_id", "invoice.external", InvoiceExternalIdTaken, "invoice_id", "外部标识")
NUMBERS = NumberSeries("INV", NUMBER, InvoiceCounterRow)


async def paid_amounts(session: ReadSession, invoices: Sequence[InvoiceRow]) -> dict[str, Decimal]:
    """By id, what came in less what went back, of payments that succeeded in the invoice's own currency."""
    payment = METADATA.tables["payment"].c  # of a feature that builds on this one
    signed = case((payment.kind == "refund", -payment.amount_value), else_=payment.amount_value)
    statement = (
        select(payment.invoice_id, payment.amount_currency, func.sum(signed).label("amount"))
        .where(payment.invoice_id.in_([each.id for each in invoices]), payment.status == "succeeded")
        .group_by(payment.invoice_id, payment.amount_currency)
    )
    sums = {(row.invoice_id, row.amount_currency): row.amount for row in await session.execute(statement)}
    return {each.id: sums.get((each.id, each.total_currency), Decimal(0)) for each in invoices}
