"""What clients may write of a team."""

from crm_contracts.ids import TeamId
from crm_contracts.types import Input, Name


class TeamWrite(Input):
    name: Name
    parent_id: TeamId | None = None
