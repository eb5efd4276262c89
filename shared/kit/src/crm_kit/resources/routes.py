"""The routes of a resource, made from its declaration."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Generic, Literal, TypeVar

from crm_contracts.types import Entity, Input
from fastapi import APIRouter, Path, Request
from pydantic import Field, WithJsonSchema, create_model
from starlette.responses import Response

from crm_kit.conditions import ConditionSchema, FieldSet, declared_name, query_schema
from crm_kit.db.models import EntityRow
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.http.pagination import DEFAULT_LIMIT, MAX_CURSOR_LENGTH, MAX_LIMIT, MAX_SORT_KEYS
from crm_kit.http.principal import Principal
from crm_kit.http.problems import preferred_language
from crm_kit.http.route import Caller, Reading, TransactionRoute, Writing, route_options
from crm_kit.resources.batch import run_operations
from crm_kit.resources.listing import INCLUDE, list_page, next_link, search_page
from crm_kit.resources.resource import Resource
from crm_kit.resources.responses import check_if_match, entity_response, json_response
from crm_kit.resources.schemas import (
    BatchBody,
    BatchResults,
    Page,
    SearchBody,
    merge_patch_type,
)
from crm_kit.resources.writing import changed_response, create
from crm_kit.rights import Action

RowT = TypeVar("RowT", bound=EntityRow)
WriteT = TypeVar("WriteT", bound=Input)
EntityT = TypeVar("EntityT", bound=Entity)

EntityPath = Annotated[str, Path(description="The entity's id")]


@dataclass(frozen=True)
class CreateCheck(Generic[WriteT]):
    """What a client may ask for, by a query parameter, before a record is created.

    `parameter`: as OpenAPI describes it. `check` is given its value and the data; it raises a Problem where nothing is to be
    created. A request with a query takes the ordinary way, so that the fast path knows nothing of it.
    """

    parameter: Mapping[str, Any]
    check: Callable[[WriteSession, str, WriteT, Principal], Awaitable[None]]


@dataclass(frozen=True)
class ReadBeside:
    """What a client may ask for, by a query parameter, beside a record that is read.

    `parameter`: as OpenAPI describes it. `load` is given its value and the record's id, of which the session knows what the
    caller sees; `members` are those that it adds to the answer, with their schemas.
    """

    parameter: Mapping[str, Any]
    members: Mapping[str, Any]
    load: Callable[[Request, ReadSession, str, str], Awaitable[Mapping[str, Any]]]


class ResourceRouter(APIRouter):
    """Knows its resource."""

    def __init__(self, resource: Resource[Any, Any, Any]) -> None:
        super().__init__(prefix=f"/v1/{resource.plural}", tags=[resource.plural], route_class=TransactionRoute)
        self.resource = resource


def resource_router(
    resource: Resource[RowT, WriteT, EntityT],
    *,
    before_create: CreateCheck[WriteT] | None = None,
    beside_read: ReadBeside | None = None,
) -> ResourceRouter:
    """A router under `/v1/<plural>` with every operation that the resource offers; a feature adds its actions to it."""
    router = ResourceRouter(resource)
    if resource.create is not None:
        _add_create(router, resource, before_create)
    _add_list(router, resource)
    _add_search(router, resource)
    if resource.create is not None and resource.update is not None:
        _add_batch(router, resource)
    _add_get(router, resource, beside_read)
    if resource.update is not None:
        _add_update(router, resource)
    if resource.delete is not None:
        _add_delete(router, resource)
    return router


def _options(
    resource: Resource[RowT, WriteT, EntityT], needs: Action | Literal["write"], *, reads: bool = False
) -> dict[str, Any]:
    administered = ("read" if needs == "read" else "write") in resource.administered
    return route_options(needs="admin" if administered else needs, reads=reads)


def _add_create(
    router: APIRouter, resource: Resource[RowT, WriteT, EntityT], before: CreateCheck[WriteT] | None
) -> None:
    async def endpoint(request: Request, data: WriteT, session: Writing, caller: Caller) -> Response:
        if before is not None and (asked := request.query_params.get(before.parameter["name"])) is not None:
            await before.check(session, asked, data, caller)
        entity = await create(session, resource, data, caller)
        location = f"/v1/{resource.plural}/{entity.id}"  # type: ignore[attr-defined]  # every entity type has its own id type
        return entity_response(request, entity, status=201, location=location)

    endpoint.__annotations__["data"] = resource.write
    router.add_api_route(
        "",
        endpoint,
        methods=["POST"],
        status_code=201,
        response_model=resource.read,
        operation_id=f"create_{resource.singular}",
        summary=f"Create a {resource.label.en}",
        openapi_extra={
            **_options(resource, "create"),
            **({"parameters": [before.parameter]} if before is not None else {}),
        },
    )


def _add_list(router: APIRouter, resource: Resource[RowT, WriteT, EntityT]) -> None:
    async def endpoint(request: Request, session: Reading) -> Response:
        page = await list_page(session, resource, request)
        return json_response(request, page, headers=next_link(request, page.next_cursor))

    router.add_api_route(
        "",
        endpoint,
        methods=["GET"],
        response_model=Page[resource.read],  # type: ignore[name-defined]  # the model is a value here
        operation_id=f"list_{resource.plural_name}",
        summary=f"List {resource.plural}",
        description=_LISTED_BY_CUSTOM if resource.custom is not None else None,
        openapi_extra={"parameters": list_parameters(resource.fields, resource.left_out), **_options(resource, "read")},
    )


_LISTED_BY_CUSTOM = "A custom field filters by its name, as in `?custom.level=gold`, and sorts by it."


def list_parameters(fields: FieldSet, left_out: str | None = None) -> list[dict[str, Any]]:
    """What a list of records with these fields takes, as OpenAPI describes it. `left_out`: as of a resource."""
    sortable = [field.name for field in fields if field.sortable]
    declared = [declared_name(fields.declared_under)] if fields.declared_under else []
    key = f"-?({'|'.join([*sortable, *declared])})"
    parameters: list[dict[str, Any]] = [
        {"name": "limit", "schema": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}},
        {"name": "cursor", "schema": _CURSOR, "description": "`next_cursor` of the page before"},
        {
            "name": "sort",
            "schema": {"type": "string", "pattern": f"^({key}(,{key}){{0,{MAX_SORT_KEYS - 1}}})?$"},
            "description": f"Up to three of {', '.join(sortable)}, with - before them for descending",
        },
    ]
    parameters += [
        {
            "name": field.name,
            "schema": query_schema(field),
            "description": f"Only those whose {field.name} equals this",
        }
        for field in fields
        if field.filterable and field.name != left_out
    ]
    if left_out is not None:
        schema = {"type": "string", "enum": ["false", "true", INCLUDE], "default": "false"}
        told = f"Those that are {left_out} are left out; true: only those, {INCLUDE}: all. A search asks by a condition"
        parameters.append({"name": left_out, "schema": schema, "description": told})
    return [{**parameter, "in": "query", "required": False} for parameter in parameters]


_CURSOR = {"type": "string", "maxLength": MAX_CURSOR_LENGTH, "pattern": "^[A-Za-z0-9_-]*$"}


def _sort_type(fields: FieldSet) -> Any:
    names = [prefix + field.name for field in fields if field.sortable for prefix in ("", "-")]
    name: dict[str, Any] = {"type": "string", "enum": names}
    if fields.declared_under:
        declared = {"type": "string", "pattern": f"^-?{declared_name(fields.declared_under)}$"}
        name = {"anyOf": [name, declared]}
    return Annotated[
        list[Annotated[str, WithJsonSchema(name)]],
        Field(max_length=MAX_SORT_KEYS, description="Field names, with - before them for descending"),
    ]


def _add_search(router: APIRouter, resource: Resource[RowT, WriteT, EntityT]) -> None:
    name = f"{resource.read.__name__}Search"
    where = Annotated[dict[str, object], ConditionSchema(resource.fields)] | None
    body_type = create_model(name, __base__=SearchBody, where=(where, None), sort=(_sort_type(resource.fields), []))

    async def endpoint(request: Request, body: SearchBody, session: Reading) -> Response:
        return json_response(request, await search_page(session, resource, body, request))

    endpoint.__annotations__["body"] = body_type
    router.add_api_route(
        "/search",
        endpoint,
        methods=["POST"],
        response_model=Page[resource.read],  # type: ignore[name-defined]  # the model is a value here
        operation_id=f"search_{resource.plural_name}",
        summary=f"Search {resource.plural} by a condition",
        openapi_extra={**_options(resource, "read", reads=True), "x-relata-fields": resource.fields.published()},
    )


def _add_batch(router: APIRouter, resource: Resource[RowT, WriteT, EntityT]) -> None:
    async def endpoint(request: Request, body: BatchBody, session: Writing, caller: Caller) -> Response:
        language = preferred_language(request.headers.get("accept-language", ""))
        results = await run_operations(session, resource, body.operations, caller, language)
        return Response(BatchResults(results=results).model_dump_json(exclude_none=True), media_type="application/json")

    router.add_api_route(
        "/batch",
        endpoint,
        methods=["POST"],
        response_model=BatchResults,
        operation_id=f"batch_{resource.plural_name}",
        summary=f"Create, update or upsert up to 1,000 {resource.plural}",
        description=f"An upsert matches by: {', '.join(resource.match) or 'nothing'}.",
        openapi_extra=_options(resource, "write"),
    )


def _add_get(router: APIRouter, resource: Resource[RowT, WriteT, EntityT], beside: ReadBeside | None) -> None:
    async def endpoint(request: Request, entity_id: EntityPath, session: Reading) -> Response:
        row = await resource.get(session, entity_id)
        more = None
        if beside is not None and (asked := request.query_params.get(beside.parameter["name"])) is not None:
            more = await beside.load(request, session, row.id, asked)
        return entity_response(request, resource.events.snapshot(row), beside=more)

    router.add_api_route(
        "/{entity_id}",
        endpoint,
        methods=["GET"],
        response_model=resource.read,
        operation_id=f"get_{resource.singular}",
        summary=f"Read a {resource.label.en}",
        openapi_extra={
            **_options(resource, "read"),
            **(_told_beside(beside) if beside is not None else {}),
        },
    )


def _told_beside(beside: ReadBeside) -> dict[str, Any]:
    schema = {"properties": dict(beside.members)}
    return {
        "parameters": [beside.parameter],
        "responses": {"200": {"content": {"application/json": {"schema": schema}}}},
    }


def _add_update(router: APIRouter, resource: Resource[RowT, WriteT, EntityT]) -> None:
    async def endpoint(
        request: Request, entity_id: EntityPath, patch: dict[str, Any], session: Writing, caller: Caller
    ) -> Response:
        row = await resource.lock(session, entity_id)
        return await changed_response(request, session, resource, row, patch, caller)

    endpoint.__annotations__["patch"] = merge_patch_type(resource.write)
    router.add_api_route(
        "/{entity_id}",
        endpoint,
        methods=["PATCH"],
        response_model=resource.read,
        operation_id=f"update_{resource.singular}",
        summary=f"Change a {resource.label.en} by a JSON Merge Patch",
        responses=_STALE if resource.sender_time is not None else None,
        openapi_extra=_options(resource, "update"),
    )


_STALE: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "headers": {
            "Relata-Stale": {
                "description": "`true` where the change said an earlier time of its source's than the record has: it has changed "
                "nothing, and the answer is the record as it is",
                "required": False,
                "schema": {"type": "string"},
            }
        }
    }
}


def _add_delete(router: APIRouter, resource: Resource[RowT, WriteT, EntityT]) -> None:
    delete = resource.delete
    assert delete is not None

    async def endpoint(request: Request, entity_id: EntityPath, session: Writing, caller: Caller) -> Response:
        row = await resource.lock(session, entity_id, "delete")
        check_if_match(request, row.version)
        await delete(session, row, caller)
        return Response(status_code=204, headers={"Consistency-Token": f"{entity_id}@{row.version}"})

    router.add_api_route(
        "/{entity_id}",
        endpoint,
        methods=["DELETE"],
        status_code=204,
        response_class=Response,
        operation_id=f"delete_{resource.singular}",
        summary=f"Delete a {resource.label.en}",
        openapi_extra=_options(resource, "delete"),
    )
