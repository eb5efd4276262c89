"""What a tenant has declared for the records of one resource: what values they may take, and what is seen of them. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, Final

import orjson
from crm_contracts.custom_fields import CustomField
from crm_contracts.sensitivity import Classified, mask_text
from crm_contracts.types import MAX_INTEGER
from pydantic import JsonValue
from sqlalchemy import ColumnElement

from crm_kit.conditions import FieldSet
from crm_kit.custom_fields.conditions import condition_fields, sensitivity_of
from crm_kit.custom_fields.rules import broken
from crm_kit.custom_fields.values import Fault, faults_of, is_empty
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.messages import message
from crm_kit.http.problems import json_pointer
from crm_kit.rights.sights import CUSTOM, Classes

Values = Mapping[str, JsonValue]

_MAX_PLAIN_LIST: Final = 100
_UNDECLARED: Final = Text("No such field is declared", "未声明该字段")
_ARCHIVED: Final = Text("The field is archived and takes no new values", "该字段已归档，不接受新值")
_PLAIN: Final = Text(
    "Must be a text, a number, true, false or a list of these; declare a field for anything else",
    "必须是文本、数字、true、false 或由它们组成的列表；其他类型请先声明字段",
)


class Declared:
    """Without any declaration `custom` takes what it always took: scalars and lists of them, by any name.

    Equal where the same versions of the same declarations are.
    """

    def __init__(self, fields: Iterable[CustomField]) -> None:
        self.fields: Final[Mapping[str, CustomField]] = {field.name: field for field in fields}
        self._sets: dict[FieldSet, FieldSet] = {}
        self._mark = frozenset((field.id, field.version) for field in self.fields.values())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Declared) and self._mark == other._mark

    def __hash__(self) -> int:
        return hash(self._mark)

    @cached_property
    def classes(self) -> Classes:
        """By name, how sensitive a field is; what is not declared is private. Of what is masked texts show their beginning."""
        return {
            name: Classified(sensitivity_of(field), mask_text if field.type == "text" else None)
            for name, field in self.fields.items()
        }

    def among(self, fields: FieldSet, custom: ColumnElement[Any] | None) -> FieldSet:
        """The fields of the resource with these; `custom`: the column of all values, always that of the same table."""
        found = self._sets.get(fields)
        if found is None:
            mine = (each for field in self.fields.values() for each in condition_fields(field, custom))
            found = self._sets[fields] = fields.with_fields(mine) if self.fields else fields
        return found

    def admitted(self, given: Values, stored: Values | None, *, now: datetime) -> dict[str, JsonValue]:
        """What a record has from now on. `stored`: what it has now; None for a new one, which gets what is there by default.

        What stays as it is, is not judged: so nothing that is stored keeps a record from being changed. Raises ValidationFailed
        with every fault.
        """
        values = {**self._defaults, **given} if stored is None else dict(given)
        faults = [
            FieldError(json_pointer([CUSTOM, name]) + pointer, code, text)
            for name, (pointer, code, text) in self._faults(values, stored or {}, is_new=stored is None, now=now)
        ]
        if faults:
            raise ValidationFailed(
                Text(
                    f"{len(faults)} fault(s) in custom fields; see errors.",
                    f"自定义字段有 {len(faults)} 处错误，见 errors。",
                ),
                errors=faults,
            )
        return values

    @cached_property
    def _defaults(self) -> Values:
        return {
            name: field.default
            for name, field in self.fields.items()
            if field.default is not None and not field.archived
        }

    def _faults(self, values: Values, stored: Values, *, is_new: bool, now: datetime) -> Iterator[tuple[str, Fault]]:
        for name, value in values.items():
            if name in stored and _same(value, stored[name]):
                continue
            for fault in self._faults_of(name, value, stored.get(name), now):
                yield name, fault
        for name, field in self.fields.items():
            gone = not is_empty(stored.get(name)) and is_empty(values.get(name))
            if field.required and not field.archived and (gone or (is_new and is_empty(values.get(name)))):
                yield name, ("", "required", message("missing"))

    def _faults_of(self, name: str, value: JsonValue, stored: JsonValue, now: datetime) -> Iterator[Fault]:
        field = self.fields.get(name)
        if field is None:
            if self.fields:
                yield "", "undeclared", _UNDECLARED
            elif not _is_plain(value):
                yield "", "not_plain", _PLAIN
        elif field.archived:
            yield "", "archived", _ARCHIVED
        else:
            yield from faults_in(field, value, stored, now=now)


NOTHING_DECLARED: Final = Declared(())


def faults_in(field: CustomField, value: JsonValue, stored: JsonValue = None, *, now: datetime) -> Iterator[Fault]:
    """What is wrong with a new value of a field: by its type, or else by its rules."""
    faults = list(faults_of(field, value, stored))
    yield from faults
    if not faults:
        for rule in field.rules:
            if (fault := broken(rule, value, now)) is not None:
                yield ("", *fault)


def _same(one: JsonValue, other: JsonValue) -> bool:
    """As JSON: Python would call `true` and `1` equal."""
    return orjson.dumps(one, option=orjson.OPT_SORT_KEYS) == orjson.dumps(other, option=orjson.OPT_SORT_KEYS)


def _is_plain(value: JsonValue) -> bool:
    if isinstance(value, list):
        return len(value) <= _MAX_PLAIN_LIST and all(_is_scalar(each) for each in value)
    return _is_scalar(value)


def _is_scalar(value: JsonValue) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return -MAX_INTEGER <= value <= MAX_INTEGER
    return not isinstance(value, list | dict)
