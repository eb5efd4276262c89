"""What clients write and read of an API key."""

from typing import Annotated, Literal, Self, get_args

from crm_contracts.ids import ApiKeyId, UserId
from crm_contracts.sensitivity import OPEN
from crm_contracts.types import Contract, Entity, Input, Name, Timestamp
from crm_kit.db.models import utc_now
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from gateway.features.roles.schemas import RolesWrite

Scope = Literal[
    "read",
    "write",
    "admin",
    "accounts:read",
    "accounts:write",
    "access:read",
    "activities:read",
    "activities:write",
    "audit-log:read",
    "bulk-changes:read",
    "bulk-changes:write",
    "campaigns:read",
    "campaigns:write",
    "claims:write",
    "consent-purposes:read",
    "consent-purposes:write",
    "consents:read",
    "consents:write",
    "contacts:read",
    "contacts:write",
    "custom-fields:read",
    "custom-fields:write",
    "customers:read",
    "date-occurrences:read",
    "date-reminders:read",
    "date-reminders:write",
    "dead-letters:read",
    "dead-letters:write",
    "deals:read",
    "deals:write",
    "duplicate-scans:read",
    "duplicate-scans:write",
    "duplicates:read",
    "duplicates:write",
    "exports:read",
    "exports:write",
    "imports:read",
    "imports:write",
    "inbound-deliveries:read",
    "inbound-deliveries:write",
    "inbound-sources:read",
    "invoices:read",
    "invoices:write",
    "jobs:read",
    "jobs:write",
    "legal-holds:read",
    "legal-holds:write",
    "lifecycle:read",
    "lifecycle:write",
    "merges:read",
    "merges:write",
    "messages:read",
    "orders:read",
    "orders:write",
    "payments:read",
    "payments:write",
    "pipelines:read",
    "pipelines:write",
    "pools:read",
    "pools:write",
    "privacy-requests:read",
    "privacy-requests:write",
    "products:read",
    "products:write",
    "relationships:read",
    "relationships:write",
    "retention-rules:read",
    "retention-rules:write",
    "roles:read",
    "segments:read",
    "segments:write",
    "sync-conflicts:read",
    "teams:read",
    "templates:read",
    "templates:write",
    "tenants:read",
    "territories:read",
    "territories:write",
    "tickets:read",
    "tickets:write",
    "transfers:read",
    "transfers:write",
    "users:read",
    "tag-rules:read",
    "tag-rules:write",
    "validation-rules:read",
    "validation-rules:write",
    "webhook-endpoints:read",
    "webhook-endpoints:write",
]
"""The permissions that operations name in the OpenAPI document (`x-relata-permission`), and three that stand for many."""

SCOPES: tuple[Scope, ...] = get_args(Scope)
EVERYTHING: tuple[Scope, ...] = ("read", "write", "admin")


class ApiKeyWrite(Input):
    name: Name
    scopes: Annotated[
        list[Scope],
        Field(
            min_length=1,
            max_length=len(SCOPES),
            description="read: GET and search; write: changes; of everything, or of one resource such as deals:write. "
            "admin: API keys and the audit log",
        ),
    ] = ["read"]
    user_id: Annotated[
        UserId | None, Field(description="It acts for this user: with their rights, as far as its scopes go")
    ] = None
    roles: Annotated[RolesWrite, Field(description="It has the rights of these roles, as far as its scopes go")] = []
    expires_at: Annotated[Timestamp | None, Field(description="From then on it is refused; never if left out")] = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.expires_at is not None and self.expires_at <= utc_now():
            raise PydanticCustomError(
                "expired", "`expires_at` must lie in the future", {"zh": "expires_at 必须是将来的时间"}
            )
        if self.user_id is not None and self.roles:
            raise PydanticCustomError(
                "user_or_roles",
                "A key has the rights of a user or of roles",
                {"zh": "密钥只能使用用户权限或角色权限之一"},
            )
        return self


class Rotation(Input):
    overlap_seconds: Annotated[
        int, Field(strict=True, ge=0, le=2_592_000, description="How long the old key stays valid beside the new one")
    ] = 86_400


class SupportStaff(Contract):
    """Whom of the installation's staff the tenant is helped by."""

    staff: str
    reason: str


class ApiKey(Entity):
    """An API key, without the key."""

    id: Annotated[ApiKeyId, OPEN]
    name: Annotated[str, OPEN]
    prefix: Annotated[str, Field(description="How the key begins; tells one's keys apart"), OPEN]
    scopes: Annotated[list[Scope], OPEN]
    user_id: Annotated[UserId | None, OPEN]
    roles: Annotated[list[str], OPEN]
    expires_at: Annotated[Timestamp | None, OPEN]
    last_used_at: Annotated[Timestamp | None, Field(description="To the hour"), OPEN]
    support: Annotated[
        SupportStaff | None, Field(description="It is a session of the installation's support staff"), OPEN
    ]


class CreatedApiKey(ApiKey):
    """An API key with the key: shown once."""

    key: Annotated[str, Field(description="Keep it: it is not shown again"), OPEN]
