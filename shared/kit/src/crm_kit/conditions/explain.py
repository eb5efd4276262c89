"""Why a condition holds for a document, and until when that cannot change without the document."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, NamedTuple

from crm_kit.conditions.evaluate import evaluate, next_anniversary, values_of, window
from crm_kit.conditions.fields import RELATIVE, Document, FieldType, Op
from crm_kit.conditions.parse import AllOf, AnyOf, Comparison, Condition, Not, comparisons_in

_A_MOMENT: Final = timedelta(microseconds=1)
_A_DAY: Final = timedelta(days=1)


class Reason(NamedTuple):
    """A comparison on which it hangs that a condition holds: `holds` itself, or, below a `not`, does not."""

    comparison: Comparison
    holds: bool


def reasons(condition: Condition, document: Document, *, now: datetime, holds: bool = True) -> Iterator[Reason]:
    """Those that together make the condition hold, or not, as it does: of parts of which one is enough, each that is."""
    match condition:
        case Comparison():
            yield Reason(condition, holds)
        case Not(part):
            yield from reasons(part, document, now=now, holds=not holds)
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                if evaluate(part, document, now=now) is holds:
                    yield from reasons(part, document, now=now, holds=holds)


def next_change(condition: Condition, document: Document, *, now: datetime) -> datetime | None:
    """Before this moment, in UTC, the condition says of the document what it says `now`; None: for ever."""
    moments = (
        moment
        for test in comparisons_in(condition)
        if test.op in RELATIVE
        for value in values_of(test.field, document)
        if (moment := _next(test.op, test.field.type, test.value, value, now)) is not None
    )
    return min(moments, default=None)


def _next(op: Op, kind: FieldType, length: Any, value: Any, now: datetime) -> datetime | None:
    """When `value` comes into the window, or leaves it. An anniversary that leaves it makes room for the next."""
    try:
        if op is Op.ANNIVERSARY_WITHIN_NEXT:
            value = next_anniversary(value, window(op, kind, length, now)[0])
        begins, ends = (value, value + length) if op is Op.WITHIN_LAST else (value - length, value)
        if kind is FieldType.DATE:
            first, behind = _midnight(begins, now), _midnight(ends + _A_DAY, now)
        else:
            first, behind = begins, ends + _A_MOMENT
    except OverflowError:  # beyond the last day that there is
        return None
    return next((moment for moment in (first, behind) if moment > now), None)


def _midnight(day: date, now: datetime) -> datetime:
    """When a day begins, in UTC, where `now` tells what day it is."""
    return datetime.combine(day, time(), tzinfo=now.tzinfo).astimezone(UTC)
