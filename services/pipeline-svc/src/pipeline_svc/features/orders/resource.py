"""Orders as a resource."""

from typing import get_args

from crm_contracts.pipeline import OrderStatus
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import owned_by, through_copies

from pipeline_svc.features.orders import usecases
from pipeline_svc.features.orders.events import ORDER_EVENTS
from pipeline_svc.features.orders.models import OrderRow
from pipeline_svc.features.orders.schemas import OrderWrite

_c = columns(OrderRow)

FIELDS = FieldSet(
    "Order",
    [
        *base_fields(OrderRow),
        Field("number", FieldType.TEXT, _c.number, sortable=True, nullable=False),
        Field("source", FieldType.TEXT, _c.source),
        Field("external_id", FieldType.TEXT, _c.external_id),
        Field("contact_id", FieldType.ID, _c.contact_id),
        Field("account_id", FieldType.ID, _c.account_id),
        Field("owner_id", FieldType.ID, _c.owner_id),
        Field("team_id", FieldType.ID, _c.team_id),
        Field("status", FieldType.CHOICE, _c.status, choices=get_args(OrderStatus), nullable=False),
        Field("total", FieldType.NUMBER, _c.total_amount, value="total.amount", sortable=True, nullable=False),
        Field("currency", FieldType.TEXT, _c.total_currency, value="total.currency", nullable=False),
        Field("placed_at", FieldType.DATETIME, _c.placed_at, sortable=True, nullable=False),
        Field("tag", FieldType.TEXT_LIST, _c.tags, value="tags"),
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
)
