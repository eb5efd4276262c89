"""From the row to what others may see of it."""

from crm_contracts.pipeline import Invoice
from crm_contracts.registry import INVOICE
from crm_kit.outbox import EntityEvents

from pipeline_svc.features.invoices.models import InvoiceRow


def snapshot(row: InvoiceRow) -> Invoice:
    return Invoice.model_validate(row)


INVOICE_EVENTS = EntityEvents(INVOICE, InvoiceRow, snapshot)
