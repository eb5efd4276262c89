"""How long what is held of persons is kept (GDPR article 5(1)(e), PIPL articles 19 and 47), and what is kept in spite of it."""

from typing import Annotated, Any, Literal

from pydantic import Field

from crm_contracts.ids import ContactId, LegalHoldId, RetentionRuleId, RetentionRunId
from crm_contracts.sensitivity import OPEN, PRIVATE
from crm_contracts.types import Contract, Entity, Timestamp, known

RetainedResource = Literal["contacts", "activities"]

CountedFrom = Literal["created_at", "updated_at", "last_activity_at", "archived_at", "at"]
"""`last_activity_at`: the latest of a contact's creation, activities and consents, and of changes of deals, orders, invoices,
payments and tickets that name it. `at`: of activities, when they happened."""

RetentionAction = Literal["erase", "archive", "delete"]
"""`erase`: of a contact nothing is left in any service, by a privacy request; of an activity neither in the audit log nor in the event
log. `delete`: as somebody deletes it."""

RetentionRunStatus = Literal["running", "succeeded", "stopped"]
"""`stopped`: the rule was changed meanwhile, and another run begins."""


class RetentionRun(Contract):
    """What a rule has done at one time."""

    id: RetentionRunId
    status: Annotated[str, known(RetentionRunStatus)]
    started_at: Timestamp
    finished_at: Timestamp | None
    done: Annotated[int, Field(description="Records that were erased, archived or deleted")]
    held: Annotated[int, Field(description="Records that were due and left, for a legal hold or a restriction")]
    failed: Annotated[int, Field(description="Records that were due and refused; they are tried again by the next run")]


class RetentionRule(Entity):
    """After so many days a record that a condition holds of is erased, archived or deleted."""

    id: Annotated[RetentionRuleId, OPEN]
    name: Annotated[str, OPEN]
    resource: Annotated[str, known(RetainedResource), OPEN]
    where: Annotated[dict[str, Any] | None, Field(description="null: whatever they are"), OPEN]
    counted_from: Annotated[str, known(CountedFrom), OPEN]
    after_days: Annotated[int, OPEN]
    action: Annotated[str, known(RetentionAction), OPEN]
    reason: Annotated[str, Field(description="By what law or need it is so long, as it is told to who asks"), OPEN]
    active: Annotated[bool, OPEN]
    effective_at: Annotated[Timestamp, Field(description="Before that it does nothing"), OPEN]
    last_run: Annotated[RetentionRun | None, OPEN]


class LegalHold(Entity):
    """While it stands nothing erases or deletes the contact, nor what is logged of it."""

    id: Annotated[LegalHoldId, OPEN]
    contact_id: Annotated[ContactId, OPEN]
    reason: Annotated[str, Field(description="Such as the file number of a lawsuit"), PRIVATE]
    until: Annotated[Timestamp | None, Field(description="null: until it is released"), OPEN]
    placed_by: Annotated[str, OPEN]
    released_at: Annotated[Timestamp | None, OPEN]
    released_by: Annotated[str | None, OPEN]
