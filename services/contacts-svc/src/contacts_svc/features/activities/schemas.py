"""What clients may write of an activity."""

from typing import Annotated, Self

from crm_contracts.contacts import ActivityKind, Direction
from crm_contracts.ids import AccountId, ContactId
from crm_contracts.types import CustomFields, CustomValues, Input, LongText, Text, Timestamp
from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError


class ActivityWrite(Input):
    kind: ActivityKind
    direction: Direction | None = None
    channel: Annotated[Text, StringConstraints(max_length=50)] | None = None
    at: Annotated[Timestamp | None, Field(description="When it happened; now if left out")] = None
    subject: Text | None = None
    body: LongText | None = None
    contact_id: ContactId | None = None
    account_id: AccountId | None = None
    actor_id: Annotated[Text, StringConstraints(max_length=100)] | None = None
    data: Annotated[CustomFields, Field(description="What its source keeps of it")] = {}
    custom: CustomValues = {}

    @model_validator(mode="after")
    def _about_somebody(self) -> Self:
        if self.contact_id is None and self.account_id is None:
            raise PydanticCustomError(
                "subject_required", "An activity names a contact or an account", {"zh": "活动必须关联联系人或客户公司"}
            )
        return self
