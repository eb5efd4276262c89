"""What can be done with a role."""

from crm_contracts.ids import RoleId
from crm_contracts.tenancy import Role
from crm_kit.custom_fields import copied_custom_fields
from crm_kit.db.session import WriteSession
from crm_kit.errors import Text
from crm_kit.http.principal import Principal

from gateway.features.api_keys.repository import has_keys_with_role
from gateway.features.roles import repository
from gateway.features.roles.conditions import check_conditions
from gateway.features.roles.errors import RoleInUse, RoleNameTaken
from gateway.features.roles.events import ROLE_EVENTS
from gateway.features.roles.models import RoleRow
from gateway.features.roles.ready import READY
from gateway.features.roles.schemas import RoleWrite
from gateway.features.users.repository import has_users_with_role


async def create_role(session: WriteSession, data: RoleWrite, _caller: Principal) -> Role:
    row = RoleRow(id=RoleId.new(), name=data.name)
    await _write(session, row, data)
    return await ROLE_EVENTS.created(session, row)


async def update_role(session: WriteSession, row: RoleRow, data: RoleWrite, _caller: Principal) -> None:
    """Counts for whoever has the role within seconds."""
    before = ROLE_EVENTS.snapshot(row)
    await _write(session, row, data)
    await ROLE_EVENTS.updated(session, row, before)


async def delete_role(session: WriteSession, row: RoleRow, _caller: Principal) -> None:
    """Raises RoleInUse."""
    await repository.lock_holders(session, [row.id])
    if await has_users_with_role(session, row.id) or await has_keys_with_role(session, row.id):
        raise RoleInUse
    await ROLE_EVENTS.deleted(session, row)


async def _write(session: WriteSession, row: RoleRow, data: RoleWrite) -> None:
    """Raises RoleNameTaken, ValidationFailed."""
    if any(grant.where is not None for grant in data.grants):
        check_conditions(data.grants, await copied_custom_fields(session))
    await repository.lock_names(session)
    holder = await repository.with_name(session, data.name)
    if data.name in READY or holder not in (None, row.id):
        raise RoleNameTaken(
            Text(f"{holder or data.name} has it.", f"{holder or data.name} 已使用该名称。"),
            members={"role_id": holder} if holder else {},
        )
    row.name, row.description, row.admin = data.name, data.description, data.admin
    row.grants = [grant.model_dump(mode="json") for grant in data.grants]
