"""Values of conditions and of documents, brought to one Python type per field type so that they compare.

text, id, choice: str · number: Decimal · integer: int · boolean: bool · date: date · datetime: aware
datetime in UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

from crm_kit.conditions.fields import Field, FieldType

MAX_TEXT_LENGTH: Final = 1_000
"""Characters in a text that a condition compares with."""

Scalar = str | Decimal | int | bool | date | datetime
Value = Scalar | timedelta | tuple[Scalar, ...]


class Mismatch(ValueError):
    """A value is not of its field's type; the message says what would be."""


_DECIMAL = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATETIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_DURATION = re.compile(r"([1-9][0-9]{0,4})([mhdw])")
_NOT_STORABLE = re.compile("[\0\ud800-\udfff]")
_UNITS: Final = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_INT64: Final = 2**63


def typed(raw: object, field: Field) -> Scalar:
    """The value of a condition on this field, or on one element of it. Raises Mismatch."""
    kind = field.type.element
    if kind is FieldType.CHOICE and raw not in field.choices:
        raise Mismatch(f"One of {', '.join(map(repr, field.choices))} is expected.")
    if isinstance(raw, str) and len(raw) > MAX_TEXT_LENGTH:
        raise Mismatch(f"At most {MAX_TEXT_LENGTH:,} characters can be compared with.")
    value = convert(raw, kind)
    if value is None:
        raise Mismatch(_EXPECTED[kind])
    if isinstance(value, str) and _NOT_STORABLE.search(value):
        raise Mismatch("Text without NUL and without lone surrogates is expected.")
    return field.normalised(value)


def convert(raw: object, kind: FieldType) -> Scalar | None:
    """The value in the Python type of this (single-valued) field type; None if it is not of that type."""
    match kind:
        case FieldType.NUMBER:
            return _number(raw)
        case FieldType.INTEGER:
            return _integer(raw)
        case FieldType.BOOLEAN:
            return raw if isinstance(raw, bool) else None
        case FieldType.DATE:
            return _date(raw)
        case FieldType.DATETIME:
            return _datetime(raw)
        case _:
            return raw if isinstance(raw, str) else None


def duration(raw: object, kind: FieldType) -> timedelta:
    """The length of time in `90d`, `12h`, `30m` or `2w`; dates know no hours. Raises Mismatch."""
    match = _DURATION.fullmatch(raw) if isinstance(raw, str) else None
    if match is None:
        raise Mismatch('A length of time such as "90d", "12h", "30m" or "2w" is expected.')
    if kind is FieldType.DATE and match[2] in "mh":
        raise Mismatch('Whole days or weeks such as "90d" or "2w" are expected for a date.')
    return int(match[1]) * _UNITS[match[2]]


def _number(raw: object) -> Decimal | None:
    if isinstance(raw, bool):
        return None
    if isinstance(raw, str):
        return Decimal(raw) if _DECIMAL.fullmatch(raw) else None
    if isinstance(raw, int | Decimal):
        number = Decimal(raw)
    elif isinstance(raw, float):
        number = Decimal(repr(raw))  # 0.1 is meant as one tenth, not as the double nearest to it
    else:
        return None
    return number if number.is_finite() else None


def _integer(raw: object) -> int | None:
    if isinstance(raw, float) and raw.is_integer():
        raw = int(raw)
    if isinstance(raw, bool) or not isinstance(raw, int):
        return None
    return raw if -_INT64 <= raw < _INT64 else None


def _date(raw: object) -> date | None:
    if isinstance(raw, date):
        return None if isinstance(raw, datetime) else raw
    if not isinstance(raw, str) or _DATE.fullmatch(raw) is None:
        return None
    try:
        return date.fromisoformat(raw)
    except ValueError:
        return None


def _datetime(raw: object) -> datetime | None:
    """RFC 3339 with offset; digits beyond microseconds are cut off, as PostgreSQL holds no more."""
    if isinstance(raw, datetime):
        return raw.astimezone(UTC) if raw.tzinfo is not None else None
    match = _DATETIME.fullmatch(raw) if isinstance(raw, str) else None
    if match is None:
        return None
    day, time, fraction, offset = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{time}.{(fraction or '0')[:6]:0<6}{offset.upper()}")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


_EXPECTED: Final = {
    FieldType.TEXT: "A text is expected.",
    FieldType.ID: "An id, as text, is expected.",
    FieldType.CHOICE: "One of the field's choices is expected.",
    FieldType.NUMBER: 'A number, or a decimal as text such as "19.90", is expected.',
    FieldType.INTEGER: "An integer within 64 bits is expected.",
    FieldType.BOOLEAN: "true or false is expected.",
    FieldType.DATE: 'A date such as "2026-02-28" is expected.',
    FieldType.DATETIME: 'A time with offset such as "2026-02-28T09:30:00Z" is expected.',
}
