"""Pools as a resource."""

from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import TENANT_WIDE

from contacts_svc.features.pooling.models import PoolRow
from contacts_svc.features.pools import usecases
from contacts_svc.features.pools.events import POOL_EVENTS
from contacts_svc.features.pools.schemas import PoolWrite

_c = columns(PoolRow)

POOLS = Resource(
    singular="pool",
    plural="pools",
    label=Text("pool", "公海"),
    row=PoolRow,
    write=PoolWrite,
    events=POOL_EVENTS,
    fields=FieldSet(
        "Pool",
        [
            *base_fields(PoolRow),
            Field("name", FieldType.TEXT, _c.name, sortable=True, nullable=False),
            Field("team_id", FieldType.ID_LIST, _c.team_ids, value="team_ids"),
        ],
    ),
    ownership=TENANT_WIDE,
    create=usecases.create_pool,
    update=usecases.update_pool,
    delete=usecases.delete_pool,
)
