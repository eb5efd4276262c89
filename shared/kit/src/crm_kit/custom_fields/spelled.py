"""What a cell of a table says of a custom field. Pure."""

import re
from decimal import Decimal, InvalidOperation

import orjson
from crm_contracts.custom_fields import CustomField
from pydantic import JsonValue

from crm_kit.tabular import cells

_MONEY = re.compile(r"(?P<before>[A-Z]{3})?\s*(?P<amount>[+-]?[\d,]+(?:\.\d+)?)\s*(?P<after>[A-Z]{3})?")


def value_in(field: CustomField, text: str, *, day_first: bool | None = None) -> JsonValue:
    """The value as the API would take it; text that is none of the field's type stays text, and is judged like any other.

    Raises Ambiguous for a day that could be read in two ways.
    """
    try:
        match field.type:
            case "number":
                return cells.number(text)
            case "boolean":
                return cells.truth(text)
            case "date":
                return cells.day(text, day_first=day_first).isoformat()
            case "money":
                return _money(text)
            case "choice":
                return _chosen(field, text)
            case "multi_choice":
                return [_chosen(field, each) for each in cells.several(text)]
            case "json":
                found: JsonValue = orjson.loads(text)
                return found
            case _:
                return text
    except cells.Ambiguous:
        raise
    except (ValueError, OverflowError, InvalidOperation):
        return text


def _chosen(field: CustomField, text: str) -> str:
    """A choice by its value or its label."""
    for choice in field.choices:
        if text in (choice.value, choice.label.en, choice.label.zh):
            return choice.value
    return text


def _money(text: str) -> JsonValue:
    found = _MONEY.fullmatch(text.strip().upper())
    if found is None or not (currency := found["before"] or found["after"]):
        raise ValueError(text)
    return {"amount": format(Decimal(found["amount"].replace(",", "")), "f"), "currency": currency}
