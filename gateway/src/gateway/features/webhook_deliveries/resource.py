"""Webhook deliveries as parts of their endpoint, for reading."""

from typing import get_args

from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import PartOf, Resource, base_fields
from crm_kit.rights import TENANT_WIDE

from gateway.features.webhook_deliveries.events import UNPUBLISHED
from gateway.features.webhook_deliveries.models import WebhookDeliveryRow
from gateway.features.webhook_deliveries.schemas import DeliveryStatus, WebhookDeliveryWrite
from gateway.features.webhook_endpoints.resource import WEBHOOK_ENDPOINTS

_c = columns(WebhookDeliveryRow)

WEBHOOK_DELIVERIES = Resource(
    singular="webhook_delivery",
    plural="webhook-deliveries",
    label=Text("webhook delivery", "Webhook 投递"),
    row=WebhookDeliveryRow,
    write=WebhookDeliveryWrite,
    events=UNPUBLISHED,
    fields=FieldSet(
        "WebhookDelivery",
        [
            *base_fields(WebhookDeliveryRow),
            Field("status", FieldType.CHOICE, _c.status, choices=get_args(DeliveryStatus), nullable=False),
            Field("kind", FieldType.TEXT, _c.type, nullable=False),
            Field("event_id", FieldType.TEXT, _c.event_id, nullable=False),
            Field("subject", FieldType.TEXT, _c.subject, nullable=False),
            Field("replay_id", FieldType.TEXT, _c.replay_id),
        ],
    ),
    ownership=TENANT_WIDE,
    within=PartOf(WEBHOOK_ENDPOINTS, _c.endpoint_id),
    create=None,
    update=None,
    delete=None,
)
