"""What clients may write of a custom field."""

from typing import Annotated, Literal, Self

from crm_contracts.custom_fields import CustomFieldResource, CustomFieldType
from crm_contracts.sensitivity import Sensitivity
from crm_contracts.types import MAX_INTEGER, NOT_BLANK, Currency, CustomName, Input, Name, Text
from pydantic import Field, JsonValue, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

_MAX_LENGTH = 10_000

Count = Annotated[int, Field(strict=True, ge=0, le=_MAX_LENGTH)]
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


class _Rule(Input):
    message: Annotated[LocalTextWrite | None, Field(description="What is said to who breaks it")] = None


class PatternRule(_Rule):
    """Of texts and links: the whole of it matches; one of more than 1,000 characters does not."""

    kind: Literal["pattern"]
    pattern: Annotated[
        Text,
        StringConstraints(min_length=1, max_length=500),
        Field(description="RE2 syntax", examples=["[A-Z]{2}[0-9]{4}"]),
    ]


class _Between(_Rule):
    @model_validator(mode="after")
    def _is_bounded(self) -> Self:
        low, high = getattr(self, "min", None), getattr(self, "max", None)
        if low is None and high is None:
            raise PydanticCustomError("bound_required", "Needs min, max, or both", {"zh": "需要 min、max 或两者"})
        return self


class LengthRule(_Between):
    """Of texts and links, in characters."""

    kind: Literal["length"]
    min: Count | None = None
    max: Count | None = None


class RangeRule(_Between):
    """Of numbers by a number, of money by an amount as a decimal string, of dates by a date."""

    kind: Literal["range"]
    min: Bound | None = None
    max: Bound | None = None


class ItemsRule(_Between):
    """Of multi-choices: how many are chosen."""

    kind: Literal["items"]
    min: Count | None = None
    max: Count | None = None


class IntegerRule(_Rule):
    """Of numbers: whole ones alone."""

    kind: Literal["integer"]


class CurrenciesRule(_Rule):
    """Of money."""

    kind: Literal["currencies"]
    currencies: Annotated[list[Currency], Field(min_length=1, max_length=50)]


class NotInFutureRule(_Rule):
    """Of dates: today at the latest, wherever on earth that is."""

    kind: Literal["not_in_future"]


class NotInPastRule(_Rule):
    """Of dates: today at the earliest, wherever on earth that is."""

    kind: Literal["not_in_past"]


RuleWrite = Annotated[
    PatternRule | LengthRule | RangeRule | ItemsRule | IntegerRule | CurrenciesRule | NotInFutureRule | NotInPastRule,
    Field(discriminator="kind"),
]


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
