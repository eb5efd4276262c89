"""Backfills as parts of their source, for reading."""

from typing import get_args

from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.jobs import JobStatus
from crm_kit.resources import PartOf, Resource, base_fields
from crm_kit.rights import TENANT_WIDE

from gateway.features.inbound_backfills.events import UNPUBLISHED
from gateway.features.inbound_backfills.models import InboundBackfillRow
from gateway.features.inbound_backfills.schemas import BackfillWrite, Trigger
from gateway.features.inbound_sources.resource import INBOUND_SOURCES

_c = columns(InboundBackfillRow)

INBOUND_BACKFILLS = Resource(
    singular="inbound_backfill",
    plural="inbound-backfills",
    label=Text("inbound backfill", "入站回填"),
    row=InboundBackfillRow,
    write=BackfillWrite,
    events=UNPUBLISHED,
    fields=FieldSet(
        "InboundBackfill",
        [
            *base_fields(InboundBackfillRow),
            Field("status", FieldType.CHOICE, _c.status, choices=get_args(JobStatus), nullable=False),
            Field("trigger", FieldType.CHOICE, _c.trigger, choices=get_args(Trigger), nullable=False),
        ],
    ),
    ownership=TENANT_WIDE,
    within=PartOf(INBOUND_SOURCES, _c.source_id),
    create=None,
    update=None,
    delete=None,
)
