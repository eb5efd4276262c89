"""Bodies and answers of the operations that all resources share."""

from functools import cache
from types import UnionType
from typing import Annotated, Any, Generic, Literal, TypeVar, Union, get_args, get_origin

from crm_contracts.types import Contract, Input
from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, JsonValue, create_model
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from crm_kit.conditions import Condition
from crm_kit.http.pagination import MAX_CURSOR_LENGTH
from crm_kit.rights.grants import Level

T = TypeVar("T")

MAX_OPERATIONS = 1000


class Page(Contract, Generic[T]):
    """One page of a list; `next_cursor` is null on the last."""

    data: list[T]
    next_cursor: str | None


class SearchBody(Input):
    where: Condition | None = None
    sort: Annotated[list[str], Field(max_length=3, description="Field names, with - before them for descending")] = []
    limit: Annotated[int, Field(ge=1, le=200, strict=True)] = 50
    cursor: Annotated[str | None, Field(max_length=MAX_CURSOR_LENGTH)] = None


class Inspection(Contract):
    """The least level that reaches a record for reading it, and for an action; and which conditions of grants hold."""

    seen: Level | None
    reached: Level | None
    holding: list[int]


class BatchOperation(Input):
    method: Literal["create", "update", "upsert"]
    id: Annotated[str | None, Field(max_length=100, description="Which to update")] = None
    match: Annotated[str | None, Field(max_length=64, description="By which field an upsert finds its entity")] = None
    data: dict[str, JsonValue]


class BatchBody(Input):
    operations: Annotated[list[BatchOperation], Field(min_length=1, max_length=MAX_OPERATIONS)]


class BatchResult(Contract):
    """What became of one operation: `id` and `version`, or `error`, a problem. `stale`: it said an earlier time of its source's than
    the record has, and has changed nothing.
    """

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    status: int
    id: str | None = None
    version: int | None = None
    stale: bool | None = None
    error: dict[str, Any] | None = None


class BatchResults(Contract):
    results: list[BatchResult]


class MergePatch(dict[str, JsonValue]):
    """A JSON Merge Patch (RFC 7396). Its schema is the write model with every member optional and nullable."""

    model: type[BaseModel]

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        # The model only names and describes the patch: what it leads to is validated, not the patch.
        return core_schema.no_info_wrap_validator_function(_as_object, handler.generate_schema(cls.model))


def _as_object(value: object, _inner: object) -> object:
    if not isinstance(value, dict):
        raise PydanticKnownError("dict_type")
    return value


@cache
def merge_patch_type(write: type[Input]) -> type[MergePatch]:
    """The patch type of a write model."""
    name = f"{write.__name__.removesuffix('Write')}Patch"
    return type(name, (MergePatch,), {"model": _patch_model(write)})


@cache
def _patch_model(model: type[BaseModel]) -> type[BaseModel]:
    """`model` with every member optional; null removes one, so only those that may be left out may be null."""
    members: dict[str, Any] = {}
    for field, info in model.model_fields.items():
        kind = _patched(info.annotation)
        kind = Annotated[kind, *info.metadata, Field(json_schema_extra=info.json_schema_extra)]
        members[field] = (kind if info.is_required() else kind | None, Field(None, description=info.description))
    return create_model(f"{model.__name__.removesuffix('Write')}Patch", __base__=Input, **members)


def _patched(kind: Any) -> Any:
    """RFC 7396: objects are merged member by member, to any depth; lists are replaced as a whole."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return Annotated[_patched(arguments[0]), *arguments[1:]]
    if origin in (Union, UnionType):
        return Union[tuple(_patched(argument) for argument in arguments)]  # noqa: UP007 its parts are values here
    if origin is dict:
        return dict[arguments[0], arguments[1] | None]  # type: ignore[valid-type]  # types are values here
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _patch_model(kind)
    return kind
