"""Allowed origins as a resource."""

from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import TENANT_WIDE

from gateway.features.allowed_origins.events import UNPUBLISHED
from gateway.features.allowed_origins.models import AllowedOriginRow
from gateway.features.allowed_origins.schemas import AllowedOriginWrite
from gateway.features.allowed_origins.usecases import allow_origin, forbid_origin

_c = columns(AllowedOriginRow)

ALLOWED_ORIGINS = Resource(
    singular="allowed_origin",
    plural="allowed-origins",
    label=Text("allowed origin", "允许的来源"),
    row=AllowedOriginRow,
    write=AllowedOriginWrite,
    events=UNPUBLISHED,
    fields=FieldSet(
        "AllowedOrigin",
        [
            *base_fields(AllowedOriginRow),
            Field("name", FieldType.TEXT, _c.name, sortable=True, nullable=False),
            Field("origin", FieldType.TEXT, _c.origin, nullable=False),
        ],
    ),
    ownership=TENANT_WIDE,
    create=allow_origin,
    update=None,
    delete=forbid_origin,
    administered=frozenset({"read", "write"}),
)
