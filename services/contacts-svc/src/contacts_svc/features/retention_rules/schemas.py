"""What clients write and read of retention rules besides the rules themselves."""

from typing import Annotated, Self

from crm_contracts.retention import CountedFrom, RetainedResource, RetentionAction, RetentionRun
from crm_contracts.types import Contract, Input, Name, Timestamp
from crm_kit.conditions import ConditionSchema
from crm_kit.resources import Size
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from contacts_svc.features.activities.resource import FIELDS as ACTIVITY_FIELDS
from contacts_svc.features.contacts.repository import FIELDS as CONTACT_FIELDS
from contacts_svc.features.retaining.rules import ACTIONS, COUNTED

_OfContacts = Annotated[dict[str, object], ConditionSchema(CONTACT_FIELDS)]
_OfActivities = Annotated[dict[str, object], ConditionSchema(ACTIVITY_FIELDS)]


class RetentionPreviewWrite(Input):
    """What is asked before there is a rule."""

    resource: RetainedResource
    where: Annotated[
        _OfContacts | _OfActivities | None,
        Field(description="Over the fields of `resource`, what is archived among them; by default whatever they are"),
    ] = None
    counted_from: Annotated[
        CountedFrom,
        Field(
            description="`updated_at`, `last_activity_at` and `archived_at` are contacts', `at` is activities'.",
            examples=["last_activity_at"],
        ),
    ]
    after_days: Annotated[int, Field(strict=True, ge=1, le=36_500)]
    action: RetentionAction

    @model_validator(mode="after")
    def _of_the_resource(self) -> Self:
        for name, known in (("counted_from", COUNTED), ("action", ACTIONS)):
            words = known[self.resource]
            if getattr(self, name) not in words:
                told = ", ".join(words)
                raise PydanticCustomError(
                    "other_resource",
                    "{name} of {resource} is one of {told}",
                    {
                        "name": name,
                        "resource": self.resource,
                        "told": told,
                        "zh": f"{self.resource} 的 {name} 只能是：{told}",
                    },
                )
        return self


class RetentionRuleWrite(RetentionPreviewWrite):
    name: Name
    reason: Annotated[
        Name,
        Field(
            description="By what law or need it is so long; it stands in the privacy request of whom the rule erases",
            examples=["Storage limitation, GDPR art. 5(1)(e)"],
        ),
    ]
    active: Annotated[bool, Field(strict=True)] = True
    effective_at: Annotated[
        Timestamp | None,
        Field(
            description="Before that it does nothing. By default a week from now where the rule is new, is activated, or takes more "
            "than it did; then never sooner than in a day"
        ),
    ] = None


class DueRecord(Contract):
    """A record that a rule takes. `left_for`: what it is left alone for, though it is due."""

    id: str
    since: Annotated[Timestamp, Field(description="What is counted from")]
    due_at: Timestamp
    left_for: Annotated[list[str], Field(description="`legal_hold`, `restriction`; empty: it is taken")]


class RetentionPreview(Contract):
    """What a rule would take now, of what you see."""

    found: Size
    sample: list[DueRecord]


class DueRecords(Contract):
    """Those that have been due longest first. A page may be short, or empty, and not be the last: `next_cursor` tells."""

    data: list[DueRecord]
    next_cursor: str | None


class FailedRecord(Contract):
    id: str
    code: Annotated[str, Field(description="Of the problem")]


class ToldRetentionRun(RetentionRun):
    failures: Annotated[list[FailedRecord], Field(description="Some of those that were refused")]


class RetentionRuns(Contract):
    """The newest first; they are kept for 400 days."""

    data: list[ToldRetentionRun]
    next_cursor: str | None
