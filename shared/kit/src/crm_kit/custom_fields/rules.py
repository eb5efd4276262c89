"""The rules that a declaration adds to its field's type, and what is said to who breaks one. Pure.

Patterns run in RE2: its time is linear in the length of the text, and its memory bounded, whatever the pattern.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import re2  # type: ignore[import-untyped]  # it brings no types
from crm_contracts.custom_fields import CustomFieldType, CustomRule, LocalText, RuleKind
from pydantic import JsonValue

from crm_kit.errors import Text

FITTING: Final[Mapping[RuleKind, tuple[CustomFieldType, ...]]] = {
    "pattern": ("text", "link"),
    "length": ("text", "link"),
    "range": ("number", "money", "date"),
    "integer": ("number",),
    "currencies": ("money",),
    "items": ("multi_choice",),
    "not_in_future": ("date",),
    "not_in_past": ("date",),
}
"""The types of fields that a rule makes sense for."""

MAX_MATCHED: Final = 1_000
"""Characters of a text that keeps to a pattern; a longer one does not."""

_EARLIEST_ZONE, _LATEST_ZONE = timedelta(hours=14), timedelta(hours=-12)


class InvalidPattern(ValueError):
    """RE2 does not take it; the message says why."""


@lru_cache(maxsize=1_000)
def compiled(pattern: str) -> Any:
    """Raises InvalidPattern."""
    options = re2.Options()
    options.max_mem = 1 << 20
    options.log_errors = False
    options.never_capture = True
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        raise InvalidPattern(reason.decode() if isinstance(reason, bytes) else str(reason)) from error


def local(text: LocalText) -> Text:
    """In the languages that errors have."""
    return Text(text.en or text.zh or "", text.zh or text.en or "")


def broken(rule: CustomRule, value: Any, now: datetime) -> tuple[str, Text] | None:
    """The code and the sentence where the value, which is of its field's type, does not keep to the rule.

    A rule of a later release is not known here, and holds.
    """
    test = _TESTS.get(rule.kind)
    found = next(test(rule, value, now), None) if test is not None else None
    if found is None:
        return None
    code, said = found
    return code, local(rule.message) if rule.message is not None else said


Broken = Iterator[tuple[str, Text]]


def _pattern(rule: CustomRule, value: str, _now: datetime) -> Broken:
    assert rule.pattern is not None
    if len(value) > MAX_MATCHED or not compiled(rule.pattern).fullmatch(value):
        yield "pattern", Text(f"Must match {rule.pattern}", f"格式必须符合 {rule.pattern}")


def _length(rule: CustomRule, value: str, _now: datetime) -> Broken:
    if rule.min is not None and len(value) < int(rule.min):
        yield "too_short", Text(f"Must have at least {rule.min} characters", f"至少 {rule.min} 个字符")
    if rule.max is not None and len(value) > int(rule.max):
        yield "too_long", Text(f"Must have at most {rule.max} characters", f"最多 {rule.max} 个字符")


def _items(rule: CustomRule, value: list[JsonValue], _now: datetime) -> Broken:
    if rule.min is not None and len(value) < int(rule.min):
        yield "too_short", Text(f"Choose at least {rule.min}", f"至少选择 {rule.min} 项")
    if rule.max is not None and len(value) > int(rule.max):
        yield "too_long", Text(f"Choose at most {rule.max}", f"最多选择 {rule.max} 项")


def _range(rule: CustomRule, value: Any, _now: datetime) -> Broken:
    order = order_of(value)
    if rule.min is not None and order(value) < order(rule.min):
        yield "range", Text(f"Must be at least {rule.min}", f"不得小于 {rule.min}")
    if rule.max is not None and order(value) > order(rule.max):
        yield "range", Text(f"Must be at most {rule.max}", f"不得大于 {rule.max}")


def order_of(value: Any) -> Callable[[Any], Any]:
    """What money, numbers and dates are compared by, the bounds of a range as well as a value such as this one."""
    if isinstance(value, Mapping):
        return lambda one: Decimal(one["amount"] if isinstance(one, Mapping) else one)
    return str if isinstance(value, str) else lambda one: Decimal(str(one))


def _integer(_rule: CustomRule, value: float, _now: datetime) -> Broken:
    if int(value) != value:
        yield "integer", Text("Must be a whole number", "必须是整数")


def _currencies(rule: CustomRule, value: Mapping[str, Any], _now: datetime) -> Broken:
    if value["currency"] not in rule.currencies:
        names = ", ".join(rule.currencies)
        yield "currency", Text(f"The currency must be one of {names}", f"币种必须是以下之一：{names}")


def _not_in_future(_rule: CustomRule, value: str, now: datetime) -> Broken:
    """Where the day begins first it is a date of today already, and nobody says where this one was meant."""
    if value > str((now + _EARLIEST_ZONE).date()):
        yield "future", Text("Must not lie in the future", "不得晚于今天")


def _not_in_past(_rule: CustomRule, value: str, now: datetime) -> Broken:
    if value < str((now + _LATEST_ZONE).date()):
        yield "past", Text("Must not lie in the past", "不得早于今天")


_TESTS: Final[Mapping[str, Callable[[CustomRule, Any, datetime], Broken]]] = {
    "pattern": _pattern,
    "length": _length,
    "range": _range,
    "integer": _integer,
    "currencies": _currencies,
    "items": _items,
    "not_in_future": _not_in_future,
    "not_in_past": _not_in_past,
}
