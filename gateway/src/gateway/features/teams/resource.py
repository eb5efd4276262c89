"""Teams as a resource."""

from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import TENANT_WIDE

from gateway.features.teams.events import TEAM_EVENTS
from gateway.features.teams.models import TeamRow
from gateway.features.teams.schemas import TeamWrite
from gateway.features.teams.usecases import LABEL, create_team, delete_team, update_team

_c = columns(TeamRow)

TEAMS = Resource(
    singular="team",
    plural="teams",
    label=LABEL,
    row=TeamRow,
    write=TeamWrite,
    events=TEAM_EVENTS,
    fields=FieldSet(
        "Team",
        [
            *base_fields(TeamRow),
            Field("name", FieldType.TEXT, _c.name, sortable=True, nullable=False),
            Field("parent_id", FieldType.ID, _c.parent_id),
        ],
    ),
    ownership=TENANT_WIDE,
    create=create_team,
    update=update_team,
    delete=delete_team,
    administered=frozenset({"write"}),
)
