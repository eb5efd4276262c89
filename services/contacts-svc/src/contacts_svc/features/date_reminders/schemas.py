"""What clients may write of a reminder."""

from typing import Annotated, Self

from crm_contracts.dates import DatedResource, Repeats
from crm_contracts.types import Input, Name, TimeZoneName
from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from contacts_svc.features.date_reminders.rules import BIRTHDAY


class DateReminderWrite(Input):
    name: Name
    resource: DatedResource = "contacts"
    field: Annotated[
        str,
        StringConstraints(strict=True, pattern=r"^(birthday|custom\.[a-z][a-z0-9_]{0,62})$"),
        Field(
            description="`birthday` of contacts, or a custom field of type date, as `custom.renewal`",
            examples=["birthday"],
        ),
    ]
    repeats: Repeats = "yearly"
    days_before: Annotated[int, Field(strict=True, ge=0, le=365)] = 0
    at: Annotated[
        str,
        StringConstraints(strict=True, pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$"),
        Field(description="Time of day in `time_zone`", examples=["09:00"]),
    ] = "09:00"
    time_zone: TimeZoneName
    active: Annotated[bool, Field(strict=True)] = True

    @model_validator(mode="after")
    def _of_the_resource(self) -> Self:
        if self.resource == "accounts" and self.field == BIRTHDAY:
            raise PydanticCustomError(
                "birthday_of_account",
                "Accounts have no birthday: name a custom field",
                {"zh": "客户公司没有生日：请指定自定义字段"},
            )
        return self
