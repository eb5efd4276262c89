"""Deals as a resource."""

from typing import get_args

from crm_contracts.pipeline import StageKind
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Digested, Resource, base_fields
from crm_kit.rights import owned_by, through_copies

from pipeline_svc.features.deals import usecases
from pipeline_svc.features.deals.events import DEAL_EVENTS
from pipeline_svc.features.deals.models import DealRow
from pipeline_svc.features.deals.schemas import DealWrite

_c = columns(DealRow)

FIELDS = FieldSet(
    "Deal",
    [
        *base_fields(DealRow),
        Field("name", FieldType.TEXT, _c.name, sortable=True, nullable=False),
        Field("pipeline_id", FieldType.ID, _c.pipeline_id, nullable=False),
        Field("stage_id", FieldType.ID, _c.stage_id, nullable=False),
        Field("status", FieldType.CHOICE, _c.status, choices=get_args(StageKind), nullable=False),
        Field("amount", FieldType.NUMBER, _c.amount_value, value="amount.amount", sortable=True),
        Field("currency", FieldType.TEXT, _c.amount_currency, value="amount.currency"),
        Field("expected_close", FieldType.DATE, _c.expected_close, sortable=True),
        Field("closed_at", FieldType.DATETIME, _c.closed_at, sortable=True),
        Field("contact_id", FieldType.ID, _c.contact_id),
        Field("account_id", FieldType.ID, _c.account_id),
        Field("owner_id", FieldType.ID, _c.owner_id),
        Field("team_id", FieldType.ID, _c.team_id),
        Field("lost_reason", FieldType.TEXT, _c.lost_reason),
        Field("tag", FieldType.TEXT_LIST, _c.tags, value="tags"),
    ],
)

DEALS = Resource(
    singular="deal",
    plural="deals",
    label=Text("deal", "商机"),
    row=DealRow,
    write=DealWrite,
    events=DEAL_EVENTS,
    fields=FIELDS,
    ownership=owned_by(_c, falls_to_creator=True, through=through_copies(_c.contact_id, _c.account_id)),
    create=usecases.create_deal,
    update=usecases.update_deal,
    delete=usecases.delete_deal,
    digests=Digested(("created_at", "updated_at")),
)
