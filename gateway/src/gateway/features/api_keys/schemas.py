"""What clients write and read of an API key."""

from typing import Annotated, Literal, Self

from crm_contracts.ids import ApiKeyId
from crm_contracts.types import Entity, Input, Name, Timestamp
from crm_kit.db.models import utc_now
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

Scope = Literal["read", "write", "admin"]
ALL_SCOPES: tuple[Scope, ...] = ("read", "write", "admin")


class ApiKeyWrite(Input):
    name: Name
    scopes: Annotated[
        list[Scope],
        Field(min_length=1, max_length=3, description="read: GET and search; write: changes; admin: API keys"),
    ] = ["read"]
    expires_at: Annotated[Timestamp | None, Field(description="From then on it is refused; never if left out")] = None

    @model_validator(mode="after")
    def _not_yet_expired(self) -> Self:
        if self.expires_at is not None and self.expires_at <= utc_now():
            raise PydanticCustomError(
                "expired", "`expires_at` must lie in the future", {"zh": "expires_at 必须是将来的时间"}
            )
        return self


class ApiKey(Entity):
    """An API key, without the key."""

    id: ApiKeyId
    name: str
    prefix: Annotated[str, Field(description="How the key begins; tells one's keys apart")]
    scopes: list[Scope]
    expires_at: Timestamp | None
    last_used_at: Annotated[Timestamp | None, Field(description="To the hour")]


class CreatedApiKey(ApiKey):
    """An API key with the key: shown once."""

    key: Annotated[str, Field(description="Keep it: it is not shown again")]
