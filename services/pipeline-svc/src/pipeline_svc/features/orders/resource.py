"""Orders as a resource."""

from typing import get_args

from crm_contracts.pipeline import OrderStatus
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Digested, Resource
from crm_kit.rights import owned_by, through_copies

from pipeline_svc.features.orders import usecases
from pipeline_svc.features.orders.events import ORDER_EVENTS
from pipeline_svc.features.orders.models import OrderRow
from pipeline_svc.features.orders.schemas import OrderWrite
from pipeline_svc.sales.models import sold_fields

_c = columns(OrderRow)

FIELDS = FieldSet(
    "Order",
    [
        *sold_fields(OrderRow, _c),
        Field("number", FieldType.TEXT, _c.number, sortable=True, nullable=False),
        Field("status", FieldType.CHOICE, _c.status, choices=get_args(OrderStatus), nullable=False),
        Field("total", FieldType.NUMBER, _c.total_amount, value="total.amount", sortable=True, nullable=False),
        Field("currency", FieldType.TEXT, _c.total_currency, value="total.currency", nullable=False),
        Field("refunded_total", FieldType.NUMBER, _c.refunded_amount, value="refunded_total.amount"),
        Field("placed_at", FieldType.DATETIME, _c.placed_at, sortable=True, nullable=False),
    ],
)

ORDERS = Resource(
    singular="order",
    plural="orders",
    label=Text("order", "订单"),
    row=OrderRow,
    write=OrderWrite,
    events=ORDER_EVENTS,
    fields=FIELDS,
    ownership=owned_by(_c, through=through_copies(_c.contact_id, _c.account_id)),
    create=usecases.create_order,
    update=usecases.update_order,
    delete=usecases.delete_order,
    match=usecases.MATCHERS,
    foresee=usecases.foresee,
    sender_time="source_updated_at",
    digests=Digested(("placed_at", "created_at", "updated_at"), source="source"),
)
