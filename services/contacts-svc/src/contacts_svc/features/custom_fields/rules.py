"""Whether a declaration makes sense. Pure."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from crm_contracts.custom_fields import CHOOSING, CustomField, CustomRule
from crm_kit.custom_fields import faults_in
from crm_kit.custom_fields.rules import FITTING, InvalidPattern, compiled, order_of
from crm_kit.custom_fields.values import faults_of
from crm_kit.errors import FieldError, Text

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
        elif rule.kind == "pattern":
            yield from _of_pattern(rule, pointer)
        else:
            yield from _of_bounds(field, rule, pointer)


def _of_pattern(rule: CustomRule, pointer: str) -> Iterator[FieldError]:
    assert rule.pattern is not None
    try:
        compiled(rule.pattern)
    except InvalidPattern as error:
        text = Text(f"Is no pattern that RE2 takes: {error}", f"不是有效的 RE2 表达式：{error}")
        yield FieldError(f"{pointer}/pattern", "not_re2", text)


def _of_bounds(field: CustomField, rule: CustomRule, pointer: str) -> Iterator[FieldError]:
    given = {name: bound for name in ("min", "max") if (bound := getattr(rule, name)) is not None}
    if rule.kind == "range":
        wrong = False
        for name, bound in given.items():
            like = {"amount": bound, "currency": "CNY"} if field.type == "money" else bound
            for _, code, text in faults_of(field, like):
                yield FieldError(f"{pointer}/{name}", code, text)
                wrong = True
        if wrong:
            return
    if len(given) == 2:
        order = order_of({"amount": given["min"]} if field.type == "money" else given["min"])
        if order(given["min"]) > order(given["max"]):
            yield FieldError(f"{pointer}/min", "min_above_max", _ORDER)
