"""What the gateway publishes of how people sign in. It holds no secret: keys are fetched from the issuer."""

from typing import Annotated, Literal

from pydantic import Field

from crm_contracts.ids import IdentityProviderId, TeamId
from crm_contracts.sensitivity import OPEN
from crm_contracts.types import Contract, Entity, known

ProviderStatus = Literal["active", "disabled"]


class ClaimNames(Contract):
    """Where in a token's claims things stand: a claim's name, or a path with dots."""

    subject: str
    name: str
    email: str
    groups: str | None
    roles: str | None


class TeamMapping(Contract):
    """Who has `value` among their groups belongs to the team."""

    value: str
    team_id: TeamId
    manager: bool


class RoleMapping(Contract):
    """Who has `value` among their roles or groups has the role."""

    value: str
    role: str


class IdentityProvider(Entity):
    """An OpenID Connect issuer whose tokens sign people in to the tenant."""

    id: Annotated[IdentityProviderId, OPEN]
    name: Annotated[str, OPEN]
    status: Annotated[str, known(ProviderStatus), OPEN]
    issuer: Annotated[str, OPEN]
    audiences: Annotated[list[str], OPEN]
    algorithms: Annotated[list[str], OPEN]
    token_types: Annotated[list[str], OPEN]
    leeway_seconds: Annotated[int, OPEN]
    required_claims: Annotated[
        dict[str, str], Field(description="Claims that a token must have, with these values"), OPEN
    ]
    claims: Annotated[ClaimNames, OPEN]
    teams: Annotated[list[TeamMapping], OPEN]
    roles: Annotated[list[RoleMapping], OPEN]
    provision: Annotated[bool, OPEN]
    default_roles: Annotated[list[str], Field(description="Of who becomes a user"), OPEN]
    trust_email: Annotated[bool, OPEN]
    domains: Annotated[list[str], OPEN]
