"""What clients may write of an account."""

from typing import Annotated

from crm_contracts.contacts import Account, ExternalIds
from crm_contracts.ids import AccountId, TeamId, UserId
from crm_contracts.sharing import SharesWrite
from crm_contracts.types import Contract, CustomValues, Input, Name, Tag, Text
from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from contacts_svc.features.accounts import rules
from contacts_svc.features.contacts.schemas import AddressWrite, LifecycleReasonWrite, LifecycleStageWrite


def _domain(value: str) -> str:
    try:
        return rules.normalise_domain(value)
    except rules.InvalidDomain:
        raise PydanticCustomError(
            "domain", "Must be a domain such as example.com", {"zh": "必须是域名，例如 example.com"}
        ) from None


class AccountBranch(Contract):
    account: Account
    has_children: Annotated[bool, Field(description="Whether there are accounts beneath it that you see")]


class AccountHierarchy(Contract):
    """Where an account stands among those above and beneath it."""

    ancestors: Annotated[list[Account], Field(description="The topmost first; those that you see")]
    children: list[AccountBranch]
    next_cursor: str | None


class AccountWrite(Input):
    name: Name
    domain: Annotated[Text, StringConstraints(min_length=3, max_length=253), AfterValidator(_domain)] | None = None
    industry: Text | None = None
    size: Annotated[int, Field(strict=True, ge=0, le=100_000_000)] | None = None
    parent_id: AccountId | None = None
    phone: Annotated[Text, StringConstraints(min_length=3, max_length=40)] | None = None
    address: AddressWrite | None = None
    lifecycle_stage: LifecycleStageWrite = None
    lifecycle_reason: LifecycleReasonWrite = None
    owner_id: UserId | None = None
    team_id: TeamId | None = None
    external_ids: ExternalIds = {}
    tags: Annotated[list[Tag], Field(max_length=200)] = []
    custom: CustomValues = {}
    shares: SharesWrite = []
