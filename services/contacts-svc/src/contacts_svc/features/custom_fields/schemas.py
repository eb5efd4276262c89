"""What clients may write of a custom field."""

from typing import Annotated, Self

from crm_contracts.custom_fields import CustomFieldResource, CustomFieldType, RuleKind
from crm_contracts.sensitivity import Sensitivity
from crm_contracts.types import MAX_INTEGER, NOT_BLANK, Currency, CustomName, Input, Name, Text
from pydantic import Field, JsonValue, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

Bound = (
    Annotated[int, Field(strict=True, ge=-MAX_INTEGER, le=MAX_INTEGER)]
    | Annotated[float, Field(strict=True)]
    | Annotated[str, StringConstraints(strict=True, max_length=40)]
)
ChoiceValue = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=100, strip_whitespace=True),
    NOT_BLANK,
]


class LocalTextWrite(Input):
    """A text in English, in Chinese, or in both."""

    en: Name | None = None
    zh: Name | None = None

    @model_validator(mode="after")
    def _in_a_language(self) -> Self:
        if self.en is None and self.zh is None:
            raise PydanticCustomError(
                "one_language", "Is needed in one language, en or zh", {"zh": "至少需要一种语言：en 或 zh"}
            )
        return self


class ChoiceWrite(Input):
    value: ChoiceValue
    label: LocalTextWrite
    archived: Annotated[bool, Field(strict=True, description="Records may keep it, and none may take it any more")] = (
        False
    )


class RuleWrite(Input):
    """`pattern` of texts and links; `length` of them in characters; `range` of numbers by numbers, of money by amounts as
    text, of dates by dates; `integer` of numbers; `currencies` of money; `items` of multi-choices: how many are chosen;
    `not_in_future` and `not_in_past` of dates, today being what it is anywhere on earth.
    """

    kind: RuleKind
    pattern: Annotated[
        Annotated[Text, StringConstraints(min_length=1, max_length=500)] | None,
        Field(description="RE2 syntax; the whole text must match", examples=["[A-Z]{2}[0-9]{4}"]),
    ] = None
    min: Bound | None = None
    max: Bound | None = None
    currencies: Annotated[list[Currency], Field(max_length=50)] = []
    message: Annotated[LocalTextWrite | None, Field(description="What is said to who breaks it")] = None


class CustomFieldWrite(Input):
    resource: CustomFieldResource
    name: Annotated[CustomName, Field(description="Its key under `custom`")]
    label: LocalTextWrite
    description: LocalTextWrite | None = None
    type: CustomFieldType
    choices: Annotated[list[ChoiceWrite], Field(max_length=200)] = []
    required: Annotated[bool, Field(strict=True, description="New records must have it, and none may lose it")] = False
    default: Annotated[JsonValue, Field(description="What a new record has that was given none")] = None
    rules: Annotated[list[RuleWrite], Field(max_length=10)] = []
    sensitivity: Annotated[
        Sensitivity, Field(description="To whom it is shown, as any member; personal: says who a person is")
    ] = "private"
    archived: Annotated[
        bool, Field(strict=True, description="Records keep their values, and none may take another")
    ] = False
