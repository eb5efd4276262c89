"""What the gateway publishes: tenants, and the people who work with their customers."""

from typing import Annotated, Literal

from pydantic import Field

from crm_contracts.ids import TeamId, TenantId, UserId
from crm_contracts.types import Contract, Entity, known

Region = Literal["CN", "EU", "GB", "US", "HK", "TW", "SG", "JP", "DE", "FR"]


class Tenant(Entity):
    id: TenantId
    name: str
    region: Annotated[str, known(Region)]


class Team(Entity):
    """Part of a tenant's people; `parent_id` makes a tree of them."""

    id: TeamId
    name: str
    parent_id: TeamId | None


class Membership(Contract):
    team_id: TeamId
    manager: Annotated[bool, Field(description="Leads the team, and those below it")]


UserStatus = Literal["active", "disabled"]


class User(Entity):
    """Somebody who works with the tenant's customers: owner, assignee, author."""

    id: UserId
    name: str
    email: str
    language: str | None
    status: Annotated[str, known(UserStatus)]
    teams: list[Membership]
    external_id: Annotated[str | None, Field(description="In the identity provider or the staff system")]
