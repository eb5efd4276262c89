"""From the row to what others may see of it."""

from crm_contracts.registry import ROLE
from crm_contracts.tenancy import Role
from crm_kit.outbox import EntityEvents

from gateway.features.roles.models import RoleRow


def snapshot(row: RoleRow) -> Role:
    return Role.model_validate(row)


ROLE_EVENTS = EntityEvents(ROLE, RoleRow, snapshot)
