"""The condition language in JSON Schema, for OpenAPI: one recursive component per resource.

    class BookSearch(BaseModel):
        where: Annotated[dict[str, object], ConditionSchema(BOOK_FIELDS)]

The value stays the plain dictionary that the client sent: `parse` is what checks it, and says more than a
schema can.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import groupby
from typing import Annotated, Any, Final

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

from crm_kit.conditions.fields import RELATIVE, Field, FieldSet, FieldType, Op
from crm_kit.conditions.parse import MAX_COMPARISONS, MAX_DEPTH, MAX_LIST_VALUES
from crm_kit.conditions.values import MAX_TEXT_LENGTH

JsonSchema = dict[str, Any]

_DESCRIPTION: Final = f"""A condition: `{{"all": […]}}` holds if every part does, `{{"any": […]}}` if one does,
`{{"not": …}}` if its part does not, and `{{"field", "op", "value"}}` compares one field.

A field without a value equals nothing and is neither less nor greater; `ne`, `not_in` and `not` are plain
negations, so they hold for it. Text is compared by code point, in its exact case. A list matches if one of its
elements does. `within_last` counts back from now, `within_next` ahead: "90d", "12h", "30m", "2w";
`anniversary_within_next` asks so of a day that recurs every year. Up to {MAX_DEPTH} levels and {MAX_COMPARISONS} comparisons."""

_TEXT: Final[JsonSchema] = {"type": "string", "maxLength": MAX_TEXT_LENGTH}
_DECIMAL: Final[JsonSchema] = {"type": "string", "pattern": r"^-?[0-9]{1,40}(\.[0-9]{1,40})?$"}
_VALUES: Final[Mapping[FieldType, JsonSchema]] = {
    FieldType.TEXT: _TEXT,
    FieldType.ID: _TEXT,
    FieldType.NUMBER: {"anyOf": [{"type": "number"}, _DECIMAL]},
    FieldType.INTEGER: {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    FieldType.BOOLEAN: {"type": "boolean"},
    FieldType.DATE: {"type": "string", "format": "date"},
    FieldType.DATETIME: {"type": "string", "format": "date-time"},
}
_OPERATORS: Final[JsonSchema] = {"type": "string", "enum": [op.value for op in Op]}
_ANY_VALUE: Final[JsonSchema] = {"type": ["string", "number", "boolean"]}
_SPECIAL: Final = frozenset({Op.EXISTS, Op.IN, Op.NOT_IN}) | RELATIVE


class ConditionSchema:
    """Annotates a dictionary as a condition over `fields`; over fields that are not known here if left out."""

    def __init__(self, fields: FieldSet | None = None) -> None:
        self._component = _component_of(fields)

    def __get_pydantic_core_schema__(self, _source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        # The component's model only names and holds the schema: it never validates, and never serialises.
        return core_schema.no_info_wrap_validator_function(
            lambda value, _inner: _dictionary(value),
            handler.generate_schema(self._component),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda value: value),
        )


@cache
def _component_of(fields: FieldSet | None) -> type[BaseModel]:
    """One for each set, wherever it is asked for: a second of the same name would be another component."""
    comparisons = list(_comparisons(fields)) if fields is not None else list(_any_comparisons())
    return _component(f"{fields.name}Condition" if fields is not None else "Condition", comparisons)


def query_schema(field: Field) -> JsonSchema:
    """What a query parameter that filters by this field must be."""
    if field.choices:
        return {"type": "string", "enum": list(field.choices)}
    if field.type is FieldType.NUMBER:
        return {"type": "number"}
    value = _VALUES[field.type.element]
    return {**value, "pattern": r"^[^\x00]*$"} if value is _TEXT else dict(value)


def _dictionary(value: object) -> object:
    if not isinstance(value, dict):
        raise PydanticCustomError("malformed", "A condition is an object.")
    return value


def _component(name: str, comparisons: list[JsonSchema]) -> type[BaseModel]:
    def json_schema(_cls: type[BaseModel], core: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchema:
        # pydantic names the component, so only a field of the model's own type tells how to refer to it.
        itself = handler.resolve_ref_schema(handler(core))["properties"]["part"]
        return _schema(name, itself, comparisons)

    hook: Callable[..., JsonSchema] = json_schema
    namespace = {
        "__module__": __name__,
        "__annotations__": {"part": name},
        "__get_pydantic_json_schema__": classmethod(hook),
    }
    return type(name, (BaseModel,), namespace)


def _schema(name: str, itself: JsonSchema, comparisons: list[JsonSchema]) -> JsonSchema:
    several = {"type": "array", "items": itself, "minItems": 1, "maxItems": MAX_COMPARISONS}
    groups = [_object({"all": several}), _object({"any": several}), _object({"not": itself})]
    # The members come first, for generators: they make a type of an object that refers to itself, of a union none.
    members = {
        "all": several,
        "any": several,
        "not": itself,
        "field": {"type": "string"},
        "op": _OPERATORS,
        "value": {},
    }
    return {
        "title": name,
        "description": _DESCRIPTION,
        "type": "object",
        "properties": members,
        "additionalProperties": False,
        "allOf": [{"oneOf": [*groups, *comparisons]}],
    }


def _comparisons(fields: FieldSet) -> Iterator[JsonSchema]:
    """Fields of one type share their schemas; exactly one schema fits a field and an operator."""

    def kind(field: Field) -> tuple[str, tuple[str, ...], bool]:
        return field.type.value, field.choices, field.family is not None

    for _, alike in groupby(sorted((field for field in fields if field.filterable), key=kind), key=kind):
        group = list(alike)
        value = {"enum": list(group[0].choices)} if group[0].choices else _VALUES[group[0].type.element]
        names = _names(group)
        yield from _by_operator(names, value, fields.ops(group[0]))
    if fields.declared_under is not None:
        ops = frozenset(op for kind in FieldType for op in kind.ops) - fields.without
        names = {"type": "string", "pattern": f"^{declared_name(fields.declared_under)}$"}
        yield from _by_operator(names, _ANY_VALUE, ops)


def _names(fields: list[Field]) -> JsonSchema:
    """What the fields are called: members of families by their form, since there are hundreds."""
    if fields[0].family is None:
        return {"type": "string", "enum": [field.name for field in fields]}
    families = "|".join(re.escape(each) for each in dict.fromkeys(field.family for field in fields) if each)
    return {"type": "string", "pattern": f"^({families})\\.[A-Z]{{3}}$"}


def declared_name(under: str) -> str:
    """A regular expression: how the fields are called that tenants declare under a member."""
    return rf"{under}\.[a-z][a-z0-9_]*(\.[a-z]+)?"


def _any_comparisons() -> Iterator[JsonSchema]:
    yield from _by_operator({"type": "string"}, _ANY_VALUE, frozenset(Op))


def _by_operator(names: JsonSchema, value: JsonSchema, ops: frozenset[Op]) -> Iterator[JsonSchema]:
    yield _comparison(names, ops - _SPECIAL, value)
    if Op.IN in ops:
        values = {"type": "array", "items": value, "minItems": 1, "maxItems": MAX_LIST_VALUES}
        yield _comparison(names, {Op.IN, Op.NOT_IN}, values)
    if relative := ops & RELATIVE:
        # Dates know no hours; a schema for all would call "12h" valid for them, so it allows days and weeks.
        units = "dw" if value.get("format") == "date" else "mhdw"
        length = {"type": "string", "pattern": f"^[1-9][0-9]{{0,4}}[{units}]$"}
        yield _comparison(names, relative, length)
    exists = _comparison(names, {Op.EXISTS}, {"type": "boolean", "default": True})
    yield {**exists, "required": ["field", "op"]}


def _comparison(names: JsonSchema, ops: frozenset[Op] | set[Op], value: JsonSchema) -> JsonSchema:
    operators = {"type": "string", "enum": [op.value for op in Op if op in ops]}
    return _object({"field": names, "op": operators, "value": value})


def _object(properties: JsonSchema) -> JsonSchema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


Condition = Annotated[dict[str, object], ConditionSchema()]
"""A condition in a request body, where the fields are not fixed: the schema knows the shape and no names."""
