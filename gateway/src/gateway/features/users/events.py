"""From the row to what others may see of it."""

from crm_contracts.registry import USER
from crm_contracts.tenancy import User
from crm_kit.outbox import EntityEvents

from gateway.features.users.models import UserRow


def snapshot(row: UserRow) -> User:
    return User.model_validate(row)


USER_EVENTS = EntityEvents(USER, UserRow, snapshot)
