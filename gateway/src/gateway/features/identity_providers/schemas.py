"""What clients may write of an identity provider."""

import re
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from crm_contracts.ids import TeamId
from crm_contracts.sign_in import ProviderStatus
from crm_contracts.types import Input, Name, Text, by_name
from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from gateway.access.tokens import MAX_ISSUER_LENGTH, Algorithm, TokenType
from gateway.features.roles.schemas import RoleName, RolesWrite

_SHARED: Final = frozenset(
    {
        "https://accounts.google.com",
        "https://appleid.apple.com",
        "https://gitlab.com",
        "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
        "https://token.actions.githubusercontent.com",
    }
)
"""Issuers at which anybody may have an account: only a further claim says of which organisation somebody is."""

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def _issuer(value: str) -> str:
    """OpenID Connect Core §2: https, without query and fragment; http on this machine alone, for development."""
    fault = PydanticCustomError(
        "issuer", "Must be the issuer as its tokens spell it, such as https://login.example.com",
        {"zh": "必须是令牌中的签发方地址，例如 https://login.example.com"},
    )  # fmt: skip
    try:
        parts = urlsplit(value)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        raise fault from None
    if parts.query or parts.fragment or parts.username is not None or not host or "{" in value:
        raise fault
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK):
        raise fault
    return value


def _domain(value: str) -> str:
    return value.lower()


Issuer = Annotated[
    str,
    StringConstraints(strict=True, max_length=MAX_ISSUER_LENGTH, pattern=r"^https?://[\x21-\x7e]+$"),
    AfterValidator(_issuer),
    Field(examples=["https://login.example.com"]),
]
Domain = Annotated[
    str,
    StringConstraints(strict=True, max_length=253, pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$"),
    AfterValidator(_domain),
]
ClaimName = Annotated[str, StringConstraints(strict=True, pattern=r"^[\x21-\x7e]{1,200}$")]
ClaimValue = Annotated[Text, StringConstraints(min_length=1, max_length=300)]


class ClaimNamesWrite(Input):
    subject: ClaimName = "sub"
    name: ClaimName = "name"
    email: ClaimName = "email"
    groups: ClaimName | None = None
    roles: ClaimName | None = None


class TeamMappingWrite(Input):
    value: ClaimValue
    team_id: TeamId
    manager: Annotated[bool, Field(strict=True)] = False


class RoleMappingWrite(Input):
    value: ClaimValue
    role: RoleName


class IdentityProviderWrite(Input):
    name: Name
    status: ProviderStatus = "active"
    issuer: Issuer
    audiences: Annotated[
        list[ClaimValue], Field(min_length=1, max_length=20, description="Client ids, or what else tokens for us say")
    ]
    algorithms: Annotated[list[Algorithm], Field(min_length=1, max_length=11)] = ["RS256", "PS256", "ES256", "EdDSA"]
    token_types: Annotated[
        list[TokenType],
        Field(
            min_length=1,
            max_length=2,
            description="at+jwt: access tokens as RFC 9068 has them; JWT: ID tokens too, and what providers give who "
            "do not follow it",
        ),
    ] = ["at+jwt"]
    leeway_seconds: Annotated[int, Field(strict=True, ge=0, le=60)] = 30
    required_claims: Annotated[dict[ClaimName, ClaimValue], Field(max_length=10, json_schema_extra=by_name)] = {}
    claims: ClaimNamesWrite = ClaimNamesWrite()
    teams: Annotated[list[TeamMappingWrite], Field(max_length=200)] = []
    roles: Annotated[list[RoleMappingWrite], Field(max_length=200)] = []
    provision: Annotated[bool, Field(strict=True, description="Whether who is not known yet becomes a user")] = True
    default_roles: Annotated[
        RolesWrite, Field(description="Roles of who becomes a user; without any they may do nothing yet")
    ] = []
    trust_email: Annotated[
        bool, Field(strict=True, description="Whether an address that it calls verified says who of the users it is")
    ] = False
    domains: Annotated[
        list[Domain], Field(max_length=50, description="Where not empty: of which the verified address must be")
    ] = []

    @model_validator(mode="after")
    def _says_whose_it_is(self) -> Self:
        if re.sub("/$", "", self.issuer) in _SHARED and not self.required_claims:
            raise PydanticCustomError(
                "required_claims",
                "Anybody can have an account at this issuer: name a claim of your organisation, such as hd or tid",
                {"zh": "任何人都可在该签发方注册账号：请指定标识贵组织的声明，例如 hd 或 tid"},
            )
        return self
