"""What the gateway publishes: tenants."""

from typing import Literal

from crm_contracts.ids import TenantId
from crm_contracts.types import Entity

Region = Literal["CN", "EU", "GB", "US", "HK", "TW", "SG", "JP", "DE", "FR"]


class Tenant(Entity):
    id: TenantId
    name: str
    region: Region
