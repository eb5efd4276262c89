"""Plain equality filters in a query string, `?email=…&tag=vip`, as the condition that they stand for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from crm_kit.conditions.fields import Field, FieldSet, FieldType, Op
from crm_kit.conditions.parse import (
    MAX_COMPARISONS,
    AllOf,
    Comparison,
    Condition,
    ConditionError,
    ErrorCode,
    InvalidCondition,
)
from crm_kit.conditions.values import Mismatch, typed

_SPELLED: Final[dict[str, bool]] = {"true": True, "false": False}


def parse_equality(parameters: Iterable[tuple[str, str]], fields: FieldSet) -> Condition | None:
    """The condition that all of `name=value` hold; None without parameters.

    A name that comes twice asks for both: a list may hold several tags. Errors point to `/<name>`.
    Raises InvalidCondition.
    """
    pairs = list(parameters)
    if len(pairs) > MAX_COMPARISONS:
        detail = f"At most {MAX_COMPARISONS} filters can be given."
        raise InvalidCondition([ConditionError("", ErrorCode.TOO_COMPLEX, detail)])
    errors: list[ConditionError] = []
    comparisons: list[Condition] = []
    for name, text in pairs:
        pointer = "/" + name[:100].replace("~", "~0").replace("/", "~1")
        field = fields.filterable(name)
        if field is None:
            detail = f"{fields.name} has no field {name[:100]!r} to filter by."
            errors.append(ConditionError(pointer, ErrorCode.UNKNOWN_FIELD, detail))
            continue
        try:
            comparisons.append(Comparison(field, Op.EQ, typed(_from_text(text, field), field)))
        except Mismatch as mismatch:
            errors.append(ConditionError(pointer, ErrorCode.TYPE_MISMATCH, str(mismatch)))
    if errors:
        raise InvalidCondition(errors)
    if not comparisons:
        return None
    return comparisons[0] if len(comparisons) == 1 else AllOf(tuple(comparisons))


def _from_text(text: str, field: Field) -> object:
    """What the text of a query string means for this field; numbers, dates and times are read from text anyway."""
    match field.type:
        case FieldType.BOOLEAN:
            return _SPELLED.get(text)
        case FieldType.INTEGER:
            digits = text.removeprefix("-")
            return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 20 else text
        case _:
            return text
