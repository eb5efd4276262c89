"""What can be done with a team."""

from typing import Final

from crm_contracts.ids import TeamId
from crm_contracts.tenancy import Team
from crm_kit.db.session import WriteSession
from crm_kit.errors import Text
from crm_kit.http.principal import Principal
from crm_kit.resources.tree import check_parent, lock_tree

from gateway.features.teams import repository
from gateway.features.teams.errors import TeamInUse
from gateway.features.teams.events import TEAM_EVENTS
from gateway.features.teams.models import TeamRow
from gateway.features.teams.schemas import TeamWrite
from gateway.features.users.repository import has_members

LABEL: Final = Text("team", "团队")


async def create_team(session: WriteSession, data: TeamWrite, _caller: Principal) -> Team:
    row = TeamRow(id=TeamId.new(), name=data.name, parent_id=data.parent_id)
    await check_parent(session, row, LABEL)
    return await TEAM_EVENTS.created(session, row)


async def update_team(session: WriteSession, row: TeamRow, data: TeamWrite, _caller: Principal) -> None:
    before = TEAM_EVENTS.snapshot(row)
    row.name, row.parent_id = data.name, data.parent_id
    if row.parent_id != before.parent_id:
        await check_parent(session, row, LABEL)
    await TEAM_EVENTS.updated(session, row, before)


async def delete_team(session: WriteSession, row: TeamRow, _caller: Principal) -> None:
    """Records that refer to it show the reference as unresolved. Raises TeamInUse."""
    await lock_tree(session, row)
    await repository.lock_members(session, [row.id])
    if await repository.has_teams_below(session, row.id) or await has_members(session, row.id):
        raise TeamInUse
    await TEAM_EVENTS.deleted(session, row)
