"""From the row to what others may see of it."""

from crm_contracts.registry import TENANT
from crm_contracts.tenancy import Tenant
from crm_kit.outbox import EntityEvents

from gateway.features.tenants.models import TenantEntityRow


def snapshot(row: TenantEntityRow) -> Tenant:
    return Tenant.model_validate(row)


TENANT_EVENTS = EntityEvents(TENANT, TenantEntityRow, snapshot)
