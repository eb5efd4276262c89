"""From a request to what it asks for, as the library reads it."""

from __future__ import annotations  # the library builds a model for each that an annotation names, in 50 ms

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from fastapi import Request
from scim2_models import Context, PatchOp, Resource, ResponseParameters, SearchRequest

from gateway.features.scim.errors import refusals, refused
from gateway.features.scim.filters import check_expression
from gateway.features.scim.schemas import POLICY

MAX_COUNT: Final = 200
DEFAULT_COUNT: Final = 100
MAX_OPERATIONS: Final = 1_000
_FURTHEST: Final = 2**31
_MAX_PATHS: Final = 80_000
"""In a PATCH: to parse one character of a path takes some 15 µs."""

_KNOWN: Final = frozenset({"schemas", "filter", "startindex", "count", "attributes", "excludedattributes"})
_TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {
    "startindex": (int, float),
    "count": (int, float),
    "attributes": list,
    "excludedattributes": list,
}
"""In a body, where a number is a number; in a query string all is text."""

StateT = TypeVar("StateT", bound=Resource[Any])

Json = dict[str, Any]


def search_of(request: Request, model: type[Resource[Any]]) -> SearchRequest[Any]:
    """What a list's query string asks for. Raises ScimRefused."""
    return _search(dict(request.query_params), model)


def search_in(body: Json, model: Any) -> SearchRequest[Any]:
    """What the body of `.search` asks for (RFC 7644, section 3.4.3), of a model or several. Raises ScimRefused."""
    for name, value in body.items():
        expected = _TYPES.get(name.lower())
        if expected is not None and value is not None and (isinstance(value, bool) or not isinstance(value, expected)):
            raise refused("invalidValue", f"{name} is of another type")
    return _search(body, model)


def _search(asked: Mapping[str, Any], model: Any) -> SearchRequest[Any]:
    # Sorting is not supported, and announced so: ignored, as section 3.4.2.3 has it, like whatever nobody knows.
    asked = {name: value for name, value in asked.items() if name.lower() in _KNOWN}
    for name, value in asked.items():
        if name.lower() == "filter" and isinstance(value, str):
            check_expression(value, "invalidFilter")
    _check_attributes(asked)
    with refusals():
        found: SearchRequest[Any] = SearchRequest[model].model_validate(
            asked, scim_ctx=Context.SEARCH_REQUEST, scim_policy=POLICY
        )
    found.start_index = min(found.start_index or 1, _FURTHEST)
    found.count = DEFAULT_COUNT if found.count is None else min(found.count, MAX_COUNT)
    return found


def wanted_of(request: Request, model: type[Resource[Any]]) -> ResponseParameters[Any]:
    """`attributes` and `excludedAttributes`. Raises ScimRefused."""
    query = request.query_params
    asked = {name: query[name] for name in ("attributes", "excludedAttributes") if query.get(name)}
    _check_attributes(asked)
    with refusals():
        return ResponseParameters[model].model_validate(asked, scim_policy=POLICY)  # type: ignore[valid-type]  # the model is a value here


def said_in(body: Json, model: type[StateT], context: Context) -> StateT:
    """The resource that a POST or PUT says. Raises ScimRefused."""
    with refusals():
        return model.model_validate(body, scim_ctx=context, scim_policy=POLICY)


def patch_in(body: Json, model: type[StateT]) -> PatchOp[StateT]:
    """Raises ScimRefused."""
    operations = [
        operation for name, value in body.items() if name.lower() == "operations" for operation in _list(value)
    ]
    if len(operations) > MAX_OPERATIONS:
        raise refused("tooMany", f"at most {MAX_OPERATIONS:,} operations")
    to_parse = 0
    for operation in operations:
        for name, value in operation.items() if isinstance(operation, dict) else ():
            if name.lower() == "path" and isinstance(value, str):
                check_expression(value, "invalidPath")
                to_parse += len(value)
            to_parse += _length_of_names(value)
    if to_parse > _MAX_PATHS:
        raise refused("tooMany", f"at most {_MAX_PATHS:,} characters of paths and names of attributes")
    with refusals():
        return PatchOp[model].model_validate(body, scim_ctx=Context.RESOURCE_PATCH_REQUEST, scim_policy=POLICY)  # type: ignore[valid-type]  # as above


def _check_attributes(asked: Mapping[str, Any]) -> None:
    for name, value in asked.items():
        if name.lower() in ("attributes", "excludedattributes"):
            check_expression(",".join(map(str, _list(value))) if isinstance(value, list) else str(value), "invalidPath")


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _length_of_names(value: object) -> int:
    """Of the attributes that a value names: each is parsed as a path."""
    if not isinstance(value, dict):
        return 0
    return sum(len(name) + _length_of_names(each) for name, each in value.items())
