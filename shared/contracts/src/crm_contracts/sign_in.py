"""What the gateway publishes of how people sign in. It holds no secret: keys are fetched from the issuer."""

from typing import Annotated, Literal

from pydantic import Field

from crm_contracts.ids import IdentityProviderId, TeamId
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

    id: IdentityProviderId
    name: str
    status: Annotated[str, known(ProviderStatus)]
    issuer: str
    audiences: list[str]
    algorithms: list[str]
    token_types: list[str]
    leeway_seconds: int
    required_claims: Annotated[dict[str, str], Field(description="Claims that a token must have, with these values")]
    claims: ClaimNames
    teams: list[TeamMapping]
    roles: list[RoleMapping]
    provision: bool
    trust_email: bool
    domains: list[str]
