"""Invoices as a resource."""

from typing import get_args

from crm_contracts.pipeline import InvoiceStatus
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Digested, Resource
from crm_kit.rights import owned_by, through_copies

from pipeline_svc.features.invoices import usecases
from pipeline_svc.features.invoices.events import INVOICE_EVENTS
from pipeline_svc.features.invoices.models import InvoiceRow
from pipeline_svc.features.invoices.schemas import InvoiceWrite
from pipeline_svc.sales.models import sold_fields

_c = columns(InvoiceRow)

FIELDS = FieldSet(
    "Invoice",
    [
        *sold_fields(InvoiceRow, _c),
        Field("number", FieldType.TEXT, _c.number, sortable=True, nullable=False),
        Field("order_id", FieldType.ID, _c.order_id),
        Field("status", FieldType.CHOICE, _c.status, choices=get_args(InvoiceStatus), nullable=False),
        Field("total", FieldType.NUMBER, _c.total_amount, value="total.amount", nullable=False),
        Field("currency", FieldType.TEXT, _c.total_currency, value="total.currency", nullable=False),
        Field("amount_paid", FieldType.NUMBER, _c.paid_amount, value="amount_paid.amount", nullable=False),
        Field("issued_at", FieldType.DATETIME, _c.issued_at, sortable=True),
        Field("due_at", FieldType.DATE, _c.due_at, sortable=True),
        Field("overdue", FieldType.BOOLEAN, _c.overdue, nullable=False),
    ],
)

INVOICES = Resource(
    singular="invoice",
    plural="invoices",
    label=Text("invoice", "发票"),
    row=InvoiceRow,
    write=InvoiceWrite,
    events=INVOICE_EVENTS,
    fields=FIELDS,
    ownership=owned_by(_c, through=through_copies(_c.contact_id, _c.account_id)),
    create=usecases.create_invoice,
    update=usecases.update_invoice,
    delete=usecases.delete_invoice,
    match=usecases.MATCHERS,
    foresee=usecases.foresee,
    sender_time="source_updated_at",
    digests=Digested(("created_at", "updated_at", "issued_at"), source="source"),
)
