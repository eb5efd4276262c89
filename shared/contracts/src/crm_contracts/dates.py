"""Dates of contacts and accounts that are told of when they come due."""

from typing import Annotated, Literal

from pydantic import Field

from crm_contracts.ids import AccountId, ContactId, DateOccurrenceId, DateReminderId
from crm_contracts.sensitivity import OPEN, PERSONAL
from crm_contracts.types import Date, Entity, Timestamp, known

DatedResource = Literal["contacts", "accounts"]
Repeats = Literal["yearly", "once"]


class DateReminder(Entity):
    """Tells of a date of every contact or account, some days before it, at a time of day."""

    id: Annotated[DateReminderId, OPEN]
    name: Annotated[str, OPEN]
    resource: Annotated[str, known(DatedResource), OPEN]
    field: Annotated[str, Field(description="`birthday`, or a custom field of type date", examples=["birthday"]), OPEN]
    repeats: Annotated[str, known(Repeats), OPEN]
    days_before: Annotated[int, OPEN]
    at: Annotated[str, Field(description="Time of day in `time_zone`", examples=["09:00"]), OPEN]
    time_zone: Annotated[str, Field(description="IANA name", examples=["Asia/Shanghai"]), OPEN]
    active: Annotated[bool, OPEN]


class DateOccurrence(Entity):
    """That a date of a contact or an account has come due."""

    id: Annotated[DateOccurrenceId, OPEN]
    reminder_id: Annotated[DateReminderId, OPEN]
    contact_id: Annotated[ContactId | None, OPEN]
    account_id: Annotated[AccountId | None, OPEN]
    field: Annotated[str, OPEN]
    occurs_on: Annotated[Date, Field(description="The day itself, this time"), PERSONAL]
    due_at: Annotated[Timestamp, Field(description="When it was to be told of"), OPEN]
