"""What is told of the tags of a contact, and of whom a rule would tag."""

from typing import Annotated, Literal

from crm_contracts.contacts import Contact
from crm_contracts.ids import TagRuleId
from crm_contracts.types import Contract, Tag, Timestamp
from crm_kit.resources import Size
from pydantic import Field, JsonValue


class TagRulePreview(Contract):
    """The contacts that would have the tag, as far as you see them."""

    found: Size
    sample: Annotated[list[Contact], Field(description="The first of them by id")]


class TagReason(Contract):
    """A comparison on which it hangs. Where you may not see the field, it is `hidden`, and all else is null."""

    field: str
    op: str | None
    value: JsonValue
    actual: Annotated[JsonValue, Field(description="What the contact has there now")]
    negated: Annotated[bool | None, Field(description="It stands below a `not`: that it does not hold is the reason")]
    hidden: bool


class ContactTag(Contract):
    """Why a contact has a tag, or was to have one: a tag that somebody gave and a rule gives too is told twice."""

    tag: Tag
    by: Literal["person", "rule"]
    rule_id: TagRuleId | None
    name: Annotated[str | None, Field(description="The rule's")]
    since: Annotated[Timestamp | None, Field(description="Since when the rule holds")]
    taken: Annotated[
        bool, Field(description="Somebody has taken the tag away; the rule gives it again when it holds anew")
    ]
    why: list[TagReason]


class ContactTags(Contract):
    data: list[ContactTag]
