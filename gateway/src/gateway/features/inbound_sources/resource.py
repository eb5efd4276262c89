"""Inbound sources as a resource. Their creation, which shows a secret, has a route of its own."""

from typing import get_args

from crm_contracts.inbound import SourceKind
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import TENANT_WIDE

from gateway.features.inbound_sources import usecases
from gateway.features.inbound_sources.events import INBOUND_SOURCE_EVENTS
from gateway.features.inbound_sources.models import InboundSourceRow
from gateway.features.inbound_sources.schemas import InboundSourceWrite

_c = columns(InboundSourceRow)

INBOUND_SOURCES = Resource(
    singular="inbound_source",
    plural="inbound-sources",
    label=Text("inbound source", "入站来源"),
    row=InboundSourceRow,
    write=InboundSourceWrite,
    events=INBOUND_SOURCE_EVENTS,
    fields=FieldSet(
        "InboundSource",
        [
            *base_fields(InboundSourceRow),
            Field("name", FieldType.TEXT, _c.name, sortable=True, nullable=False),
            Field("kind", FieldType.CHOICE, _c.kind, choices=get_args(SourceKind), nullable=False),
            Field("system", FieldType.TEXT, _c.system, nullable=False),
            Field("is_active", FieldType.BOOLEAN, _c.is_active, nullable=False),
        ],
    ),
    ownership=TENANT_WIDE,
    create=None,
    update=None,
    delete=usecases.delete_source,
    momentary=frozenset({"secret", "callback"}),
    administered=frozenset({"write"}),
)
