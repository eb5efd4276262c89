"""Whether a declaration makes sense. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from crm_contracts.custom_fields import CHOOSING, Bound, CustomField, CustomRule
from crm_kit.custom_fields import faults_in
from crm_kit.custom_fields.rules import FITTING, InvalidPattern, compiled, order_of
from crm_kit.custom_fields.values import MAX_TEXT, faults_of
from crm_kit.errors import FieldError, Text
from pydantic import JsonValue

MAX_FIELDS: Final = 200
"""Of one resource, those that are archived too."""

_FIXED: Final = ("resource", "name", "type")
_STAYS: Final = Text(
    "Cannot be changed: records and conditions know it as it is; declare another field",
    "不可更改：记录和条件依赖现有声明；请声明新字段",
)
_CHOICES: Final = Text("Is needed by a choice, and by no other type", "仅选项类型需要，且必须提供")
_GONE: Final = Text("Archive it instead: records may hold it", "请改为归档：可能仍有记录使用该选项")
_TWICE: Final = Text("Is there twice", "重复")
_BOUNDED: Final = ("length", "range", "items")
_COUNT: Final = Text(f"Must be a whole number from 0 to {MAX_TEXT}", f"必须是 0 至 {MAX_TEXT} 的整数")
_ORDER: Final = Text("Must not be greater than max", "不得大于 max")


def faults_of_declaration(field: CustomField, before: CustomField | None, now: datetime) -> Iterator[FieldError]:
    """What is wrong with a declaration, `before` being what it was."""
    if before is not None:
        for name in _FIXED:
            if getattr(field, name) != getattr(before, name):
                yield FieldError(f"/{name}", "fixed", _STAYS)
    yield from _of_choices(field, before)
    faults = list(_of_rules(field))
    yield from faults
    if not faults and field.default is not None:
        for pointer, code, text in faults_in(field, field.default, now=now):
            yield FieldError(f"/default{pointer}", code, text)


def _of_choices(field: CustomField, before: CustomField | None) -> Iterator[FieldError]:
    if bool(field.choices) != (field.type in CHOOSING):
        yield FieldError("/choices", "choices", _CHOICES)
    values = [choice.value for choice in field.choices]
    for place, value in enumerate(values):
        if value in values[:place]:
            yield FieldError(f"/choices/{place}/value", "repeated", _TWICE)
    for choice in before.choices if before is not None else ():
        if choice.value not in values:
            text = Text(f"{choice.value!r} is missing. {_GONE.en}", f"缺少 {choice.value!r}。{_GONE.zh}")
            yield FieldError("/choices", "choice_gone", text)


def _of_rules(field: CustomField) -> Iterator[FieldError]:
    for place, rule in enumerate(field.rules):
        pointer = f"/rules/{place}"
        fitting = FITTING[rule.kind]  # type: ignore[index]  # what was written was checked
        if field.type not in fitting:
            names = ", ".join(fitting)
            yield FieldError(
                f"{pointer}/kind", "other_type", Text(f"Is a rule for {names}", f"该规则仅适用于：{names}")
            )
            continue
        for fault in _of_rule(field, rule):
            yield fault.below(pointer)


def _of_rule(field: CustomField, rule: CustomRule) -> Iterator[FieldError]:
    given = {name for name in ("pattern", "min", "max", "currencies") if getattr(rule, name) not in (None, [])}
    members = _MEMBERS.get(rule.kind, ())
    for name in sorted(given.difference(members)):
        yield FieldError(f"/{name}", "other_kind", Text(f"Is no member of {rule.kind}", f"{rule.kind} 规则没有此字段"))
    if members and not given.intersection(members):
        names = ", ".join(members)
        text = Text(f"{rule.kind} needs {names}", f"{rule.kind} 规则需要：{names}")
        yield FieldError(f"/{members[0]}", "rule_incomplete", text)
    if "pattern" in given and rule.kind == "pattern":
        yield from _of_pattern(rule)
    if given & {"min", "max"} and rule.kind in _BOUNDED:
        yield from _of_bounds(field, rule)


_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "pattern": ("pattern",),
    "currencies": ("currencies",),
    **dict.fromkeys(_BOUNDED, ("min", "max")),
}


def _of_pattern(rule: CustomRule) -> Iterator[FieldError]:
    assert rule.pattern is not None
    try:
        compiled(rule.pattern)
    except InvalidPattern as error:
        text = Text(f"Is no pattern that RE2 takes: {error}", f"不是有效的 RE2 表达式：{error}")
        yield FieldError("/pattern", "not_re2", text)


def _of_bounds(field: CustomField, rule: CustomRule) -> Iterator[FieldError]:
    given = {name: bound for name in ("min", "max") if (bound := getattr(rule, name)) is not None}
    faults = [fault for name, bound in given.items() for fault in _of_bound(field, rule, name, bound)]
    yield from faults
    if not faults and len(given) == 2:
        order = order_of({"amount": given["min"]} if field.type == "money" else given["min"])
        if order(given["min"]) > order(given["max"]):
            yield FieldError("/min", "min_above_max", _ORDER)


def _of_bound(field: CustomField, rule: CustomRule, name: str, bound: Bound) -> Iterator[FieldError]:
    if rule.kind != "range":
        if isinstance(bound, bool) or not isinstance(bound, int) or not 0 <= bound <= MAX_TEXT:
            yield FieldError(f"/{name}", "count", _COUNT)
        return
    like: JsonValue = {"amount": bound, "currency": "CNY"} if field.type == "money" else bound
    for _, code, text in faults_of(field, like):
        yield FieldError(f"/{name}", code, text)
