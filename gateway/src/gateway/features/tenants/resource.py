"""Tenants as a resource."""

from typing import get_args

from crm_contracts.tenancy import Region
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import TENANT_WIDE

from gateway.features.tenants.events import TENANT_EVENTS
from gateway.features.tenants.models import TenantEntityRow
from gateway.features.tenants.schemas import TenantWrite

_c = columns(TenantEntityRow)

FIELDS = FieldSet(
    "Tenant",
    [
        *base_fields(TenantEntityRow),
        Field("name", FieldType.TEXT, _c.name, sortable=True, nullable=False),
        Field("region", FieldType.CHOICE, _c.region, choices=get_args(Region), nullable=False),
    ],
)

TENANTS = Resource(
    singular="tenant",
    plural="tenants",
    label=Text("tenant", "租户"),
    row=TenantEntityRow,
    write=TenantWrite,
    events=TENANT_EVENTS,
    fields=FIELDS,
    ownership=TENANT_WIDE,
    create=None,
    update=None,
    delete=None,
)
