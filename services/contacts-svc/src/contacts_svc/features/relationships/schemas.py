"""What clients may write of a relationship."""

from typing import Annotated, Self

from crm_contracts.ids import AccountId, ContactId
from crm_contracts.types import Date, Input, Name, Text
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError


class RelationshipWrite(Input):
    contact_id: ContactId
    account_id: Annotated[AccountId | None, Field(description="Where the contact has a role")] = None
    related_contact_id: Annotated[ContactId | None, Field(description="To whom the contact is something")] = None
    label: Annotated[
        Name,
        Field(description="What the contact is to the other end", examples=["decision_maker", "reports_to", "配偶"]),
    ]
    inverse_label: Annotated[
        Name | None,
        Field(
            description="What the related contact is to the contact; may be left out of spouse, reports_to and the like"
        ),
    ] = None
    primary: Annotated[bool, Field(strict=True, description="Comes before others of its label; several may")] = False
    started_on: Date | None = None
    ended_on: Annotated[Date | None, Field(description="Its last day; null while it goes on")] = None
    note: Text | None = None

    @model_validator(mode="after")
    def _between_two(self) -> Self:
        if (self.account_id is None) == (self.related_contact_id is None):
            raise PydanticCustomError(
                "other_end",
                "A relationship has one other end: account_id or related_contact_id",
                {"zh": "关系的另一端必须且只能是 account_id 或 related_contact_id 之一"},
            )
        if self.account_id is not None and self.inverse_label is not None:
            raise PydanticCustomError(
                "inverse_of_account",
                "A role at an account has no inverse_label",
                {"zh": "联系人在客户公司的角色没有 inverse_label"},
            )
        if self.started_on is not None and self.ended_on is not None and self.ended_on < self.started_on:
            raise PydanticCustomError(
                "dates_reversed", "It cannot end before it has started", {"zh": "结束日期不能早于开始日期"}
            )
        return self
