"""What clients write and read of an allowed origin."""

from typing import Annotated

from crm_contracts.ids import AllowedOriginId
from crm_contracts.types import Entity, Input, Name
from pydantic import AfterValidator, Field, StringConstraints

from gateway.access.origins import PATTERN, normalise

Origin = Annotated[
    str,
    StringConstraints(max_length=300, pattern=PATTERN),
    AfterValidator(normalise),
    Field(description="Scheme, host and port as a browser sends them (RFC 6454)", examples=["https://app.example.com"]),
]


class AllowedOriginWrite(Input):
    name: Name
    origin: Origin


class AllowedOrigin(Entity):
    """Pages of `origin` may call the API with this tenant's credentials."""

    id: AllowedOriginId
    name: str
    origin: str
