"""Conditions over documents in memory: the same answers as `sql` gives over rows.

A document is what the API shows: times and decimals may be text. A value that is not of its field's type
counts as missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from crm_kit.conditions.fields import Document, Field, FieldType, Op
from crm_kit.conditions.parse import AllOf, AnyOf, Comparison, Condition, Not
from crm_kit.conditions.values import Scalar, convert


def evaluate(condition: Condition, document: Document, *, now: datetime) -> bool:
    """Whether the condition holds for the document. now: an aware time, which relative operators count from; what day it is, its
    time zone says.
    """
    match condition:
        case AllOf(parts):
            return all(evaluate(part, document, now=now) for part in parts)
        case AnyOf(parts):
            return any(evaluate(part, document, now=now) for part in parts)
        case Not(part):
            return not evaluate(part, document, now=now)
        case Comparison(field, op, value):
            return _compare(values_of(field, document), op, value, field.type, now)


def window(op: Op, kind: FieldType, length: timedelta, now: datetime) -> tuple[date, date]:
    """The first and the last moment, or day for dates, of a relative operator; both are within. Days are those of `now`'s zone."""
    # In UTC: between moments of one time zone Python reckons by what the clock on the wall shows.
    at = now.date() if kind is FieldType.DATE else now.astimezone(UTC)
    return (at - length, at) if op is Op.WITHIN_LAST else (at, at + length)


EVERY_DAY: Final = timedelta(days=365)
"""So long a window has every day of the year in it, whichever year it begins in."""


def in_year(day: date, year: int) -> date:
    """When a day recurs in another year."""
    try:
        return day.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


def next_anniversary(day: date, today: date) -> date:
    """The first from today on; the day itself is the first of all."""
    if day >= today:
        return day
    this_year = in_year(day, today.year)
    return this_year if this_year >= today else in_year(day, today.year + 1)


def values_of(field: Field, document: Document) -> list[Scalar]:
    """What the document holds in this field: its elements for a list, else one value or none."""
    raw = field.in_document(document)
    if not field.type.is_list:
        candidates: Iterable[object] = [raw]
    elif isinstance(raw, list | tuple | set | frozenset):
        candidates = raw
    else:
        return []
    converted = (convert(candidate, field.type.element) for candidate in candidates)
    return [field.normalised(value) for value in converted if value is not None]


def _compare(values: list[Scalar], op: Op, expected: Any, kind: FieldType, now: datetime) -> bool:
    match op:
        case Op.EXISTS:
            return bool(values) is expected
        case Op.NE:
            return expected not in values
        case Op.NOT_IN:
            return not any(value in expected for value in values)
        case _:
            return any(_holds(value, op, expected, kind, now) for value in values)


def _holds(value: Any, op: Op, expected: Any, kind: FieldType, now: datetime) -> bool:
    match op:
        case Op.EQ:
            return bool(value == expected)
        case Op.IN:
            return value in expected
        case Op.CONTAINS:
            return bool(value == expected) if kind.is_list else expected in value
        case Op.STARTS_WITH:
            return bool(value.startswith(expected))
        case Op.LT | Op.BEFORE:
            return bool(value < expected)
        case Op.LTE:
            return bool(value <= expected)
        case Op.GT | Op.AFTER:
            return bool(value > expected)
        case Op.GTE:
            return bool(value >= expected)
        case _:
            first, last = window(op, kind, expected, now)
            return bool(
                first <= (next_anniversary(value, first) if op is Op.ANNIVERSARY_WITHIN_NEXT else value) <= last
            )
