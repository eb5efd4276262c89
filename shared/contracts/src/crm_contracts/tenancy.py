"""What the gateway publishes: tenants, and the people who work with their customers."""

from typing import Annotated, Any, Literal

from pydantic import Field

from crm_contracts.ids import RoleId, TeamId, TenantId, UserId
from crm_contracts.sensitivity import EMAIL, OPEN
from crm_contracts.types import Contract, Entity, known

Region = Literal["CN", "EU", "GB", "US", "HK", "TW", "SG", "JP", "DE", "FR"]


class Tenant(Entity):
    id: Annotated[TenantId, OPEN]
    name: Annotated[str, OPEN]
    region: Annotated[str, known(Region), OPEN]


class Team(Entity):
    """Part of a tenant's people; `parent_id` makes a tree of them."""

    id: Annotated[TeamId, OPEN]
    name: Annotated[str, OPEN]
    parent_id: Annotated[TeamId | None, OPEN]


class Membership(Contract):
    team_id: TeamId
    manager: Annotated[bool, Field(description="Leads the team, and those below it")]


Records = Literal["own", "team", "all"]


class RoleGrant(Contract):
    """What a role permits on which records, and what it shows of them by sensitivity; what it does not name is hidden."""

    resources: list[str]
    actions: list[str]
    records: Annotated[Records, Field(description="One's own; those of one's teams too; or every one")]
    fields: Annotated[dict[str, str], Field(description="`hidden`, `masked`, `read` or `write`, by sensitivity")]
    where: Annotated[dict[str, Any] | None, Field(description="Only records of which this condition holds")] = None


class Role(Entity):
    """What somebody may see and do; who has several has all that any of them grants."""

    id: Annotated[RoleId, OPEN]
    name: Annotated[str, OPEN]
    description: Annotated[str | None, OPEN]
    admin: Annotated[bool, Field(description="Manages users, teams, roles and keys"), OPEN]
    grants: Annotated[list[RoleGrant], OPEN]


UserStatus = Literal["active", "disabled"]


class User(Entity):
    """Somebody who works with the tenant's customers: owner, assignee, author."""

    id: Annotated[UserId, OPEN]
    name: Annotated[str, OPEN]
    email: Annotated[str, EMAIL]
    language: Annotated[str | None, OPEN]
    status: Annotated[str, known(UserStatus), OPEN]
    teams: Annotated[list[Membership], OPEN]
    roles: Annotated[list[str], Field(description="Ready roles by name, others by id"), OPEN]
    external_id: Annotated[str | None, Field(description="In the identity provider or the staff system"), OPEN]
