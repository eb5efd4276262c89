"""Webhook endpoints as a resource. What answers with a secret, or takes one, is the router's own."""

from typing import get_args

from crm_contracts.webhooks import EndpointStatus, Transport
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import TENANT_WIDE

from gateway.features.webhook_endpoints import usecases
from gateway.features.webhook_endpoints.events import WEBHOOK_ENDPOINT_EVENTS
from gateway.features.webhook_endpoints.models import WebhookEndpointRow
from gateway.features.webhook_endpoints.schemas import WebhookEndpointWrite

_c = columns(WebhookEndpointRow)

WEBHOOK_ENDPOINTS = Resource(
    singular="webhook_endpoint",
    plural="webhook-endpoints",
    label=Text("webhook endpoint", "Webhook 端点"),
    row=WebhookEndpointRow,
    write=WebhookEndpointWrite,
    events=WEBHOOK_ENDPOINT_EVENTS,
    fields=FieldSet(
        "WebhookEndpoint",
        [
            *base_fields(WebhookEndpointRow),
            Field("url", FieldType.TEXT, _c.url),
            Field("status", FieldType.CHOICE, _c.status, choices=get_args(EndpointStatus), nullable=False),
            Field("transport", FieldType.CHOICE, _c.transport, choices=get_args(Transport), nullable=False),
        ],
    ),
    ownership=TENANT_WIDE,
    create=None,
    update=None,
    delete=usecases.delete_endpoint,
    momentary=frozenset({"headers"}),
)
