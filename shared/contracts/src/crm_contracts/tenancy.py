"""What the gateway publishes: tenants."""

from typing import Annotated, Literal

from crm_contracts.ids import TenantId
from crm_contracts.types import Entity, known

Region = Literal["CN", "EU", "GB", "US", "HK", "TW", "SG", "JP", "DE", "FR"]


class Tenant(Entity):
    id: TenantId
    name: str
    region: Annotated[str, known(Region)]
