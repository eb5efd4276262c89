"""Custom fields: what a tenant declares, at run time, of the values under `custom`.

contacts-svc owns the declarations for all resources; other services follow its events.
"""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from crm_contracts.ids import CustomFieldId
from crm_contracts.sensitivity import OPEN, Sensitivity
from crm_contracts.types import Contract, CustomName, Entity, Text, known

CustomFieldResource = Literal["contacts", "accounts", "activities"]
CustomFieldType = Literal["text", "number", "money", "date", "choice", "multi_choice", "link", "boolean", "json"]
RuleKind = Literal["pattern", "length", "range", "integer", "currencies", "items", "not_in_future", "not_in_past"]

CHOOSING: tuple[CustomFieldType, ...] = ("choice", "multi_choice")
"""The types that take one or some of a field's choices."""

Bound = int | float | str
"""Of a range: a number, an amount as a decimal string, or a date; of a length, how many."""


class LocalText(Contract):
    """A text in English, in Chinese, or in both; a reader of the other language is shown the one that is there."""

    en: Text | None = None
    zh: Text | None = None


class CustomChoice(Contract):
    """`archived`: records may keep it, and none may take it any more."""

    value: Annotated[str, Field(examples=["gold"])]
    label: LocalText
    archived: bool


class CustomRule(Contract):
    """What a value must keep to besides its type; `kind` tells which of the other members mean something.

    `min` and `max` are included.
    """

    kind: Annotated[str, known(RuleKind)]
    pattern: Annotated[str | None, Field(description="RE2 syntax; the whole text must match")] = None
    min: Bound | None = None
    max: Bound | None = None
    currencies: list[str] = []
    message: Annotated[LocalText | None, Field(description="What is said to who breaks it")] = None


class CustomField(Entity):
    """One field that a tenant has declared for the records of one resource."""

    id: Annotated[CustomFieldId, OPEN]
    resource: Annotated[str, known(CustomFieldResource), OPEN]
    name: Annotated[CustomName, Field(description="Its key under `custom`", examples=["level"]), OPEN]
    label: Annotated[LocalText, OPEN]
    description: Annotated[LocalText | None, OPEN]
    type: Annotated[str, known(CustomFieldType), OPEN]
    choices: Annotated[list[CustomChoice], OPEN]
    required: Annotated[bool, Field(description="New records must have it, and none may lose it"), OPEN]
    default: Annotated[JsonValue, Field(description="What a new record has that was given none"), OPEN]
    rules: Annotated[list[CustomRule], OPEN]
    sensitivity: Annotated[str, known(Sensitivity), OPEN]
    archived: Annotated[bool, Field(description="Records keep their values, and none may take another"), OPEN]
