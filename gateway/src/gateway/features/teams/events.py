"""From the row to what others may see of it."""

from crm_contracts.registry import TEAM
from crm_contracts.tenancy import Team
from crm_kit.outbox import EntityEvents

from gateway.features.teams.models import TeamRow


def snapshot(row: TeamRow) -> Team:
    return Team.model_validate(row)


TEAM_EVENTS = EntityEvents(TEAM, TeamRow, snapshot)
