"""What of a record tells of a person. What the books need stays: numbers, amounts, lines, dates, stages."""

from typing import Final

from pipeline_svc.features.deals.models import DealRow
from pipeline_svc.features.invoices.models import InvoiceRow
from pipeline_svc.features.orders.models import OrderRow
from pipeline_svc.features.payments.models import PaymentRow

ERASED_NAME: Final = "—"


def strip_deal(row: DealRow) -> None:
    row.contact_id = None
    row.name = ERASED_NAME
    row.next_step, row.lost_reason = None, None
    row.tags, row.custom = [], {}


def strip_order(row: OrderRow) -> None:
    row.contact_id = None
    row.refunds = [{**refund, "reason": None} for refund in row.refunds]
    row.tags, row.custom = [], {}


def strip_invoice(row: InvoiceRow) -> None:
    row.contact_id = None
    row.tags, row.custom = [], {}


def strip_payment(row: PaymentRow) -> None:
    """What stands on a bank statement may name whoever paid."""
    row.contact_id, row.reference = None, None
    row.tags, row.custom = [], {}
