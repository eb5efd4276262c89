"""Inbound deliveries as a resource, for reading."""

from typing import get_args

from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import TENANT_WIDE

from gateway.features.inbound_deliveries.events import UNPUBLISHED
from gateway.features.inbound_deliveries.models import InboundDeliveryRow
from gateway.features.inbound_deliveries.schemas import DeliveryStatus, InboundDeliveryWrite

_c = columns(InboundDeliveryRow)

INBOUND_DELIVERIES = Resource(
    singular="inbound_delivery",
    plural="inbound-deliveries",
    label=Text("inbound delivery", "入站投递"),
    row=InboundDeliveryRow,
    write=InboundDeliveryWrite,
    events=UNPUBLISHED,
    fields=FieldSet(
        "InboundDelivery",
        [
            *base_fields(InboundDeliveryRow),
            Field("source_id", FieldType.ID, _c.source_id, nullable=False),
            Field("status", FieldType.CHOICE, _c.status, choices=get_args(DeliveryStatus), nullable=False),
            Field("topic", FieldType.TEXT, _c.topic, nullable=False),
            Field("reason", FieldType.TEXT, _c.reason),
            Field("sender_id", FieldType.TEXT, _c.sender_id),
            Field("external_id", FieldType.TEXT, _c.external_id),
            Field("backfill_id", FieldType.ID, _c.backfill_id),
        ],
    ),
    ownership=TENANT_WIDE,
    create=None,
    update=None,
    delete=None,
)
