"""Territories as a resource."""

from typing import get_args

from crm_contracts.contacts import TerritoryResource
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import TENANT_WIDE

from contacts_svc.features.assignment.models import TerritoryRow
from contacts_svc.features.territories import usecases
from contacts_svc.features.territories.events import TERRITORY_EVENTS
from contacts_svc.features.territories.schemas import TerritoryWrite

_c = columns(TerritoryRow)

TERRITORIES = Resource(
    singular="territory",
    plural="territories",
    label=Text("territory", "区域"),
    row=TerritoryRow,
    write=TerritoryWrite,
    events=TERRITORY_EVENTS,
    fields=FieldSet(
        "Territory",
        [
            *base_fields(TerritoryRow),
            Field("name", FieldType.TEXT, _c.name, sortable=True, nullable=False),
            Field("resource", FieldType.CHOICE, _c.resource, choices=get_args(TerritoryResource), nullable=False),
            Field("team_id", FieldType.ID, _c.team_id, nullable=False),
            Field("owner_id", FieldType.ID, _c.owner_id),
            Field("position", FieldType.INTEGER, _c.position, sortable=True, nullable=False),
            Field("active", FieldType.BOOLEAN, _c.active, nullable=False),
        ],
    ),
    ownership=TENANT_WIDE,
    create=usecases.create_territory,
    update=usecases.update_territory,
    delete=usecases.delete_territory,
)
