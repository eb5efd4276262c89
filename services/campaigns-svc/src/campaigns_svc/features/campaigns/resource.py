"""Campaigns as a resource."""

from typing import get_args

from crm_contracts.campaigns import CampaignStatus
from crm_contracts.contacts import Channel
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import TENANT_WIDE

from campaigns_svc.features.campaigns import usecases
from campaigns_svc.features.campaigns.events import CAMPAIGN_EVENTS
from campaigns_svc.features.campaigns.models import CampaignRow
from campaigns_svc.features.campaigns.schemas import CampaignWrite

_c = columns(CampaignRow)

FIELDS = FieldSet(
    "Campaign",
    [
        *base_fields(CampaignRow),
        Field("name", FieldType.TEXT, _c.name, sortable=True, nullable=False),
        Field("channel", FieldType.CHOICE, _c.channel, choices=get_args(Channel), nullable=False),
        Field("purpose", FieldType.TEXT, _c.purpose, nullable=False),
        Field("segment_id", FieldType.ID, _c.segment_id, nullable=False),
        Field("template_id", FieldType.ID, _c.template_id, nullable=False),
        Field("status", FieldType.CHOICE, _c.status, choices=get_args(CampaignStatus), nullable=False),
        Field("scheduled_at", FieldType.DATETIME, _c.scheduled_at, sortable=True),
        Field("started_at", FieldType.DATETIME, _c.started_at),
        Field("finished_at", FieldType.DATETIME, _c.finished_at),
    ],
)

CAMPAIGNS = Resource(
    singular="campaign",
    plural="campaigns",
    label=Text("campaign", "营销活动"),
    row=CampaignRow,
    write=CampaignWrite,
    events=CAMPAIGN_EVENTS,
    fields=FIELDS,
    ownership=TENANT_WIDE,
    create=usecases.create_campaign,
    update=usecases.update_campaign,
    delete=usecases.delete_campaign,
)
