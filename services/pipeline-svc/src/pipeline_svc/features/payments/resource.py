"""Payments as a resource."""

from typing import get_args

from crm_contracts.pipeline import PaymentKind, PaymentStatus
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Digested, Resource
from crm_kit.rights import owned_by, through_copies

from pipeline_svc.features.payments import usecases
from pipeline_svc.features.payments.events import PAYMENT_EVENTS
from pipeline_svc.features.payments.models import PaymentRow
from pipeline_svc.features.payments.schemas import PaymentWrite
from pipeline_svc.sales.models import sold_fields

_c = columns(PaymentRow)

FIELDS = FieldSet(
    "Payment",
    [
        *sold_fields(PaymentRow, _c),
        Field("kind", FieldType.CHOICE, _c.kind, choices=get_args(PaymentKind), nullable=False),
        Field("order_id", FieldType.ID, _c.order_id),
        Field("invoice_id", FieldType.ID, _c.invoice_id),
        Field("amount", FieldType.NUMBER, _c.amount_value, value="amount.amount", nullable=False),
        Field("currency", FieldType.TEXT, _c.amount_currency, value="amount.currency", nullable=False),
        Field("method", FieldType.TEXT, _c.method),
        Field("status", FieldType.CHOICE, _c.status, choices=get_args(PaymentStatus), nullable=False),
        Field("paid_at", FieldType.DATETIME, _c.paid_at, sortable=True),
        Field("reference", FieldType.TEXT, _c.reference),
    ],
)

PAYMENTS = Resource(
    singular="payment",
    plural="payments",
    label=Text("payment", "付款"),
    row=PaymentRow,
    write=PaymentWrite,
    events=PAYMENT_EVENTS,
    fields=FIELDS,
    ownership=owned_by(_c, through=through_copies(_c.contact_id, _c.account_id)),
    create=usecases.create_payment,
    update=usecases.update_payment,
    delete=usecases.delete_payment,
    match=usecases.MATCHERS,
    foresee=usecases.foresee,
    sender_time="source_updated_at",
    digests=Digested(("created_at", "updated_at", "paid_at"), source="source"),
)
