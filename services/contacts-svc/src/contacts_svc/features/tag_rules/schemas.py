"""What clients may write of a tag rule."""

from typing import Annotated

from crm_contracts.ids import ContactId
from crm_contracts.types import Contract, Input, LongText, Name, Tag, Timestamp, TimeZoneName
from crm_kit.conditions import ConditionSchema
from pydantic import Field

from contacts_svc.features.contacts.repository import TAG_FIELDS

_Condition = Annotated[
    dict[str, object],
    ConditionSchema(TAG_FIELDS),
    Field(description="Over the fields of contacts, and `orders.…`, `deals.…`, `tickets.…`: what these come to"),
]


class TagRulePreviewWrite(Input):
    """What is asked before there is a rule."""

    where: _Condition
    time_zone: Annotated[TimeZoneName, Field(description="What day it is")] = "UTC"


class TagRuleWrite(TagRulePreviewWrite):
    name: Name
    description: LongText | None = None
    tag: Tag
    active: Annotated[bool, Field(strict=True)] = True


class TagRuleEvaluation(Contract):
    """After a rule has changed, existing contacts are held against all of them, by id."""

    pending: Annotated[bool, Field(description="Whether that goes on")]
    started_at: Annotated[Timestamp | None, Field(description="Since the newest change of a rule")] = None
    evaluated_until: Annotated[ContactId | None, Field(description="The last contact that was looked at")] = None
    evaluated: Annotated[int, Field(description="How many were looked at")] = 0
