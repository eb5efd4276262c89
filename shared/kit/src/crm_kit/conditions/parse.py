"""From untrusted JSON to a checked condition: known fields, operators that fit, values of the field's type,
bounded.

{"all": [condition, …]}   {"any": [condition, …]}   {"not": condition}   {"field": …, "op": …, "value": …}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Final

from crm_kit.conditions.fields import RELATIVE, Field, FieldSet, Op
from crm_kit.conditions.values import Mismatch, Scalar, Value, duration, typed

MAX_DEPTH: Final = 8
"""Conditions within one another; a single comparison has depth 1."""
MAX_COMPARISONS: Final = 100
MAX_LIST_VALUES: Final = 200
"""Values in the list of `in` and `not_in`."""


@dataclass(frozen=True, slots=True)
class AllOf:
    """True if every part is."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True if one part is."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True if the part is false: there is no third value."""

    part: Condition


@dataclass(frozen=True, slots=True)
class Comparison:
    """One test of one field. `value` is of the field's type; a tuple for lists, a duration for what counts from now."""

    field: Field
    op: Op
    value: Value


Condition = AllOf | AnyOf | Not | Comparison


class ErrorCode(StrEnum):
    """What can be wrong with a condition."""

    UNKNOWN_FIELD = "unknown_field"
    UNKNOWN_OPERATOR = "unknown_operator"
    TYPE_MISMATCH = "type_mismatch"
    TOO_COMPLEX = "too_complex"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class ConditionError:
    """One thing that is wrong, and where: `pointer` is an RFC 6901 JSON Pointer."""

    pointer: str
    code: ErrorCode
    detail: str


class InvalidCondition(ValueError):
    """A condition that is refused; answer 422. `errors` holds all that is wrong with it, at least one."""

    def __init__(self, errors: Iterable[ConditionError]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(f"{error.pointer}: {error.detail}" for error in self.errors))


def parse(raw: object, fields: FieldSet, pointer: str = "") -> Condition:
    """The condition that `raw` (parsed JSON) states over these fields.

    pointer: where `raw` stands in the request body, such as `/where`; errors point below it.
    Raises InvalidCondition with everything that is wrong.
    """
    parser = _Parser(fields)
    condition = parser.condition(raw, pointer, depth=1)
    if condition is None or parser.errors:
        raise InvalidCondition(parser.errors)
    return condition


def comparisons_in(condition: Condition | None) -> Iterator[Comparison]:
    """All that a condition tests."""
    match condition:
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from comparisons_in(part)
        case Not(part):
            yield from comparisons_in(part)
        case Comparison():
            yield condition


def named_fields(raw: object) -> Iterator[str]:
    """What `raw` (parsed JSON) names as fields, whether it is a condition or not."""
    waiting = [raw]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if isinstance(name := part.get("field"), str):
                yield name
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part


class _Parser:
    """Collects errors on the way; a part that has one is None."""

    def __init__(self, fields: FieldSet) -> None:
        self.errors: list[ConditionError] = []
        self._fields = fields
        self._comparisons = 0

    def condition(self, raw: object, pointer: str, *, depth: int) -> Condition | None:
        if depth > MAX_DEPTH:
            self._error(pointer, ErrorCode.TOO_COMPLEX, f"Conditions nest at most {MAX_DEPTH} deep.")
            return None
        if isinstance(raw, dict):
            match sorted(map(str, raw)):
                case ["all"]:
                    parts = self._parts(raw["all"], f"{pointer}/all", depth)
                    return AllOf(parts) if parts else None
                case ["any"]:
                    parts = self._parts(raw["any"], f"{pointer}/any", depth)
                    return AnyOf(parts) if parts else None
                case ["not"]:
                    part = self.condition(raw["not"], f"{pointer}/not", depth=depth + 1)
                    return Not(part) if part is not None else None
                case ["field", "op"] | ["field", "op", "value"]:
                    return self._comparison(raw, pointer)
        self._error(
            pointer,
            ErrorCode.MALFORMED,
            'A condition is one of {"all": […]}, {"any": […]}, {"not": …} and {"field": …, "op": …, "value": …}.',
        )
        return None

    def _parts(self, raw: object, pointer: str, depth: int) -> tuple[Condition, ...] | None:
        if not isinstance(raw, list) or not raw:
            self._error(pointer, ErrorCode.MALFORMED, "A list of at least one condition is expected.")
            return None
        # Each part brings at least one comparison, so a longer list is too complex whatever it holds.
        if len(raw) > MAX_COMPARISONS:
            self._too_many(pointer)
            return None
        parts = []
        for index, item in enumerate(raw):
            part = self.condition(item, f"{pointer}/{index}", depth=depth + 1)
            if self._comparisons > MAX_COMPARISONS or len(self.errors) >= MAX_COMPARISONS:
                return None
            if part is not None:
                parts.append(part)
        return tuple(parts) or None

    def _comparison(self, raw: dict[str, object], pointer: str) -> Comparison | None:
        self._comparisons += 1
        if self._comparisons > MAX_COMPARISONS:
            self._too_many(pointer)
            return None
        field = self._field(raw["field"], f"{pointer}/field")
        if field is None:
            return None
        op = self._op(raw["op"], field, f"{pointer}/op")
        if op is None:
            return None
        if op is Op.EXISTS:
            raw = {"value": True, **raw}
        if "value" not in raw:
            self._error(pointer, ErrorCode.MALFORMED, f"The operator {op.value!r} takes a value.")
            return None
        value = self._value(raw["value"], field, op, f"{pointer}/value")
        return Comparison(field, op, value) if value is not None else None

    def _field(self, name: object, pointer: str) -> Field | None:
        if not isinstance(name, str):
            self._error(pointer, ErrorCode.MALFORMED, "The name of a field is expected.")
            return None
        field = self._fields.filterable(name)
        if field is None:
            known = [field.name for field in self._fields if field.filterable]
            close = get_close_matches(name[:100], known, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            detail = f"{self._fields.name} has no field {name[:100]!r} to filter by.{hint}"
            self._error(pointer, ErrorCode.UNKNOWN_FIELD, detail)
        return field

    def _op(self, name: object, field: Field, pointer: str) -> Op | None:
        op = _OPS.get(name) if isinstance(name, str) else None
        known = self._fields.ops(field)
        if op is None or op not in known:
            fitting = ", ".join(op.value for op in Op if op in known)
            detail = f"The operators of {field.name!r} ({field.type.value}) are {fitting}."
            self._error(pointer, ErrorCode.UNKNOWN_OPERATOR, detail)
            return None
        return op

    def _value(self, raw: object, field: Field, op: Op, pointer: str) -> Value | None:
        if op in {Op.IN, Op.NOT_IN}:
            return self._values(raw, field, pointer)
        try:
            if raw is None:
                raise Mismatch('null is not compared with; use the operator "exists".')
            if op is Op.EXISTS:
                return _boolean(raw)
            if op in RELATIVE:
                return duration(raw, field.type)
            return typed(raw, field)
        except Mismatch as mismatch:
            self._error(pointer, ErrorCode.TYPE_MISMATCH, str(mismatch))
            return None

    def _values(self, raw: object, field: Field, pointer: str) -> tuple[Scalar, ...] | None:
        if not isinstance(raw, list) or not raw:
            self._error(pointer, ErrorCode.TYPE_MISMATCH, "A list of at least one value is expected.")
            return None
        if len(raw) > MAX_LIST_VALUES:
            self._error(pointer, ErrorCode.TOO_COMPLEX, f"At most {MAX_LIST_VALUES} values can be listed.")
            return None
        values = []
        for index, item in enumerate(raw):
            try:
                values.append(typed(item, field))
            except Mismatch as mismatch:
                self._error(f"{pointer}/{index}", ErrorCode.TYPE_MISMATCH, str(mismatch))
        return tuple(values) or None

    def _too_many(self, pointer: str) -> None:
        self._error(pointer, ErrorCode.TOO_COMPLEX, f"A condition has at most {MAX_COMPARISONS} comparisons.")

    def _error(self, pointer: str, code: ErrorCode, detail: str) -> None:
        self.errors.append(ConditionError(pointer, code, detail))


_OPS: Final = {op.value: op for op in Op}


def _boolean(raw: object) -> bool:
    if not isinstance(raw, bool):
        raise Mismatch("true or false is expected.")
    return raw
