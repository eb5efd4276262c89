"""Messages as a resource that can be read."""

from typing import get_args

from crm_contracts.campaigns import MessageStatus
from crm_contracts.contacts import Channel
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import Ownership, through_copies

from campaigns_svc.features.messages.events import MESSAGE_EVENTS
from campaigns_svc.features.messages.models import MessageRow
from campaigns_svc.features.messages.schemas import MessageWrite

_c = columns(MessageRow)

FIELDS = FieldSet(
    "Message",
    [
        *base_fields(MessageRow),
        Field("campaign_id", FieldType.ID, _c.campaign_id, nullable=False),
        Field("contact_id", FieldType.ID, _c.contact_id, nullable=False),
        Field("channel", FieldType.CHOICE, _c.channel, choices=get_args(Channel), nullable=False),
        Field("purpose", FieldType.TEXT, _c.purpose, nullable=False),
        Field("status", FieldType.CHOICE, _c.status, choices=get_args(MessageStatus), nullable=False),
        Field("reason", FieldType.TEXT, _c.reason),
        Field("address", FieldType.TEXT, _c.address),
        Field("queued_at", FieldType.DATETIME, _c.queued_at, sortable=True, nullable=False),
        Field("sent_at", FieldType.DATETIME, _c.sent_at),
        Field("unsubscribed_at", FieldType.DATETIME, _c.unsubscribed_at),
    ],
)

MESSAGES = Resource(
    singular="message",
    plural="messages",
    label=Text("message", "消息"),
    row=MessageRow,
    write=MessageWrite,
    events=MESSAGE_EVENTS,
    fields=FIELDS,
    ownership=Ownership(through=through_copies(_c.contact_id)),
    create=None,
    update=None,
    delete=None,
)
