"""What clients may write of a territory."""

from typing import Annotated

from crm_contracts.contacts import TerritoryResource
from crm_contracts.ids import TeamId, UserId
from crm_contracts.types import Contract, Input, Name, Timestamp
from crm_kit.conditions import ConditionSchema
from pydantic import Field

from contacts_svc.features.accounts.repository import FIELDS as ACCOUNT_FIELDS
from contacts_svc.features.assignment.rules import territory_fields
from contacts_svc.features.contacts.repository import FIELDS as CONTACT_FIELDS

_OfContacts = Annotated[dict[str, object], ConditionSchema(territory_fields(CONTACT_FIELDS))]
_OfAccounts = Annotated[dict[str, object], ConditionSchema(territory_fields(ACCOUNT_FIELDS))]


class TerritoryWrite(Input):
    name: Name
    resource: TerritoryResource
    where: Annotated[_OfContacts | _OfAccounts, Field(description="A condition over the fields of `resource`")]
    team_id: TeamId
    owner_id: Annotated[UserId | None, Field(description="Owns what has no owner")] = None
    position: Annotated[
        int, Field(strict=True, ge=0, le=1_000_000, description="Those of lower position come first, then by id")
    ] = 0
    active: Annotated[bool, Field(strict=True)] = True


class TerritoryEvaluation(Contract):
    """After a territory has changed, existing records are held against all of them, `resource` by `resource`."""

    pending: Annotated[bool, Field(description="Whether that goes on")]
    resource: Annotated[TerritoryResource | None, Field(description="Whose records are being gone through")] = None
    started_at: Annotated[Timestamp | None, Field(description="Since the newest change of a territory")] = None
