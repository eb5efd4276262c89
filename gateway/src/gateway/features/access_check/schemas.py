"""What may be asked about access, and what is answered."""

from typing import Annotated, Literal, Self

from crm_contracts.ids import ApiKeyId, UserId
from crm_contracts.tenancy import RoleGrant
from crm_contracts.types import Contract, Input
from crm_kit.rights import Action, Level
from crm_kit.rights.grants import Access
from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

Asked = Literal[
    "accounts", "activities", "campaigns", "contacts", "customers", "deals", "invoices", "messages", "orders", "payments", "pipelines",
    "products", "segments", "templates", "tickets",
]  # fmt: skip
"""The resources whose records are a service's."""

Reason = Literal[
    "applies",
    "action_not_granted",
    "out_of_reach",
    "condition_does_not_hold",
    "member_not_shown",
    "member_not_writable",
]
RecordId = Annotated[str, StringConstraints(strict=True, max_length=100, pattern=r"^[a-z0-9_]+$")]
MemberName = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=100, pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)?$")
]


class Check(Input):
    user_id: Annotated[UserId | None, Field(description="Who; the caller, if no key is named either")] = None
    key_id: ApiKeyId | None = None
    action: Action
    resource: Asked
    id: Annotated[RecordId | None, Field(description="Of the record; left out: whether at all, and how far")] = None
    member: Annotated[MemberName | None, Field(description="Of the record, such as amount, or custom.level")] = None

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        if self.user_id is not None and self.key_id is not None:
            raise PydanticCustomError("user_or_key", "Name a user or a key", {"zh": "请指定用户或密钥之一"})
        return self


class CheckBody(Input):
    checks: Annotated[list[Check], Field(min_length=1, max_length=100)]


class Why(Contract):
    """What one grant of a role comes to here; `applies` is what allows it."""

    role: str
    name: str
    grant: Annotated[int, Field(description="Its place in the role")]
    grants: RoleGrant
    reason: Reason


class CheckResult(Contract):
    allowed: bool
    found: Annotated[bool | None, Field(description="Whether there is such a record that the asker may know of")]
    distance: Annotated[Level | None, Field(description="How near it is to them; without an id, how far they reach")]
    access: Annotated[Access | None, Field(description="To the member that was asked about")]
    missing_scope: Annotated[str | None, Field(description="Of the key")]
    why: Annotated[list[Why], Field(description="Grants of the resource; empty for a key without user and roles")]


class CheckResults(Contract):
    results: list[CheckResult]
