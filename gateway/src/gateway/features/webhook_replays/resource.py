"""Webhook replays as parts of their endpoint, for reading."""

from typing import get_args

from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import PartOf, Resource, base_fields
from crm_kit.rights import TENANT_WIDE
from sqlalchemy import case

from gateway.features.webhook_endpoints.resource import WEBHOOK_ENDPOINTS
from gateway.features.webhook_replays.events import UNPUBLISHED
from gateway.features.webhook_replays.models import WebhookReplayRow
from gateway.features.webhook_replays.schemas import ReplayStatus, WebhookReplayWrite

_c = columns(WebhookReplayRow)
_STATUS = case((_c.cancelled_at.is_not(None), "cancelled"), (_c.done, "succeeded"), else_="running")

WEBHOOK_REPLAYS = Resource(
    singular="webhook_replay",
    plural="webhook-replays",
    label=Text("webhook replay", "Webhook 重放"),
    row=WebhookReplayRow,
    write=WebhookReplayWrite,
    events=UNPUBLISHED,
    fields=FieldSet(
        "WebhookReplay",
        [
            *base_fields(WebhookReplayRow),
            Field("status", FieldType.CHOICE, _STATUS, choices=get_args(ReplayStatus), nullable=False),
            Field("customer_id", FieldType.TEXT, _c.customer_id),
        ],
    ),
    ownership=TENANT_WIDE,
    within=PartOf(WEBHOOK_ENDPOINTS, _c.endpoint_id),
    create=None,
    update=None,
    delete=None,
)
