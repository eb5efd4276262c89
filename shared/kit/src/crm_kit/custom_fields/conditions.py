"""Custom fields in conditions and sorts. Pure.

A stored value that is not of its field's type, such as one from before the declaration, counts as missing: the columns never
raise, and say what `evaluate` says of the document.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import sqlalchemy as sa
from crm_contracts.custom_fields import CustomField
from crm_contracts.sensitivity import SENSITIVITIES, Sensitivity
from sqlalchemy import ColumnElement
from sqlalchemy.dialects.postgresql import JSONB

from crm_kit.conditions import Document, Field, FieldType, Held
from crm_kit.rights.sights import CUSTOM

_AMOUNT: Final = r"-?[0-9]{1,15}(\.[0-9]{1,6})?"
_DATE: Final = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_IS_AMOUNT: Final = re.compile(_AMOUNT)

Read = Callable[[Document], object]


def sensitivity_of(field: CustomField) -> Sensitivity:
    """One that a later release has is private here."""
    return next((each for each in SENSITIVITIES if each == field.sensitivity), "private")


def condition_fields(field: CustomField, custom: ColumnElement[Any] | None) -> Iterator[Field]:
    """What conditions may name of a custom field; nothing of one that is free JSON. `custom`: the JSONB column of all values;
    None where there are documents alone.
    """
    told: dict[str, Any] = {"part_of": CUSTOM, "sensitivity": sensitivity_of(field)}
    if custom is not None and field.type != "money":
        told["held"] = Held(custom, field.name)
    name = f"{CUSTOM}.{field.name}"
    value = custom[field.name] if custom is not None else None
    choices = tuple(choice.value for choice in field.choices)
    match field.type:
        case "text" | "link":
            yield _single(name, FieldType.TEXT, _text(value), _reader(field.name, str), **told)
        case "choice":
            yield _single(name, FieldType.CHOICE, _text(value), _reader(field.name, str), choices=choices, **told)
        case "number":
            yield _single(name, FieldType.NUMBER, _number(value), _reader(field.name, int, float), **told)
        case "date":
            yield _single(name, FieldType.DATE, _date(value), _reader(field.name, str), **told)
        case "boolean":
            yield _single(name, FieldType.BOOLEAN, _boolean(value), _reader(field.name, bool), **told)
        case "multi_choice":
            read = _reader(field.name, list)
            yield Field(name, FieldType.CHOICE_LIST, _texts(value), value=read, choices=choices, **told)
        case "money":
            amount, currency = (value[part] if value is not None else None for part in ("amount", "currency"))
            yield _single(f"{name}.amount", FieldType.NUMBER, _amount(amount), _amount_reader(field.name), **told)
            read = _member_reader(field.name, "currency")
            yield _single(f"{name}.currency", FieldType.ID, _text(currency), read, **told)


def _single(name: str, kind: FieldType, column: ColumnElement[Any] | None, read: Read, **told: Any) -> Field:
    return Field(name, kind, column, value=read, sortable=column is not None, **told)


def _reader(name: str, *kinds: type) -> Read:
    def read(document: Document) -> object:
        custom = document.get(CUSTOM)
        value = custom.get(name) if isinstance(custom, Mapping) else None
        if isinstance(value, bool) and bool not in kinds:
            return None  # which Python calls an integer
        return value if isinstance(value, kinds) else None

    return read


def _member_reader(name: str, member: str) -> Read:
    whole = _reader(name, dict)

    def read(document: Document) -> object:
        money = whole(document)
        value = money.get(member) if isinstance(money, dict) else None
        return value if isinstance(value, str) else None

    return read


def _amount_reader(name: str) -> Read:
    member = _member_reader(name, "amount")

    def read(document: Document) -> object:
        value = member(document)
        return value if isinstance(value, str) and _IS_AMOUNT.fullmatch(value) else None

    return read


def _text(value: Any) -> ColumnElement[Any] | None:
    return _of_type(value, "string", _unquoted(value)) if value is not None else None


def _number(value: Any) -> ColumnElement[Any] | None:
    return _of_type(value, "number", sa.cast(value, sa.Numeric)) if value is not None else None


def _boolean(value: Any) -> ColumnElement[Any] | None:
    return _of_type(value, "boolean", sa.cast(value, sa.Boolean)) if value is not None else None


def _amount(value: Any) -> ColumnElement[Any] | None:
    if value is None:
        return None
    text = _unquoted(value)
    amount = sa.case((text.regexp_match(f"^{_AMOUNT}$"), sa.cast(text, sa.Numeric)))
    return _of_type(value, "string", amount)


def _date(value: Any) -> ColumnElement[Any] | None:
    if value is None:
        return None
    text = _unquoted(value)
    valid = sa.and_(text.regexp_match(f"^{_DATE}$"), sa.func.pg_input_is_valid(text, "date"))
    return _of_type(value, "string", sa.case((valid, sa.cast(text, sa.Date))))


def _texts(value: Any) -> ColumnElement[Any] | None:
    if value is None:
        return None
    whole = sa.case((sa.func.jsonb_typeof(value) == "array", value), else_=sa.cast(sa.literal("[]"), JSONB))
    element = sa.func.jsonb_array_elements(whole).column_valued("element")
    found = sa.select(_unquoted(element)).where(sa.func.jsonb_typeof(element) == "string").scalar_subquery()
    return sa.func.array(found, type_=sa.ARRAY(sa.Text()))


def _of_type(value: Any, kind: str, then: ColumnElement[Any]) -> ColumnElement[Any]:
    """CASE, since of AND no order is promised, and what is of another type could not be cast."""
    return sa.case((sa.func.jsonb_typeof(value) == kind, then))


def _unquoted(value: Any) -> ColumnElement[Any]:
    """The text of a JSON string."""
    return sa.type_coerce(value.op("#>>")(sa.literal_column("'{}'")), sa.Text())
