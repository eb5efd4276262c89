"""The past of fields over HTTP: beside a record that is read, and page by page."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from crm_contracts.ids import ID_SUFFIX, AuditEntryId
from crm_kit.db.session import ReadSession
from crm_kit.http import pagination
from crm_kit.http.route import Reading
from crm_kit.resources import EntityPath, ReadBeside, Resource, json_response, next_link
from crm_kit.resources.routes import ResourceRouter
from fastapi import Query, Request
from pydantic import WithJsonSchema
from starlette.responses import Response

from contacts_svc.features.field_history.schemas import FieldChange, FieldHistory
from contacts_svc.features.field_history.usecases import MOST_FIELDS, history_of, known_fields

_AT_ONCE: Final = 100
_FIELDS: Final = "Members with commas between them, custom.<name> among them; by default all"
_CURSOR: Final = f"^([0-9]{{1,16}}-{AuditEntryId.prefix}_{ID_SUFFIX})?$"


def _pattern(resource: Resource[Any, Any, Any]) -> str:
    """Of the fields of a resource, as OpenAPI tells it; who names others is told which there are."""
    name = f"({'|'.join(known_fields(resource))}|custom\\.[a-z][a-z0-9_]{{0,62}})"
    return f"^{name}(,{name}){{0,{MOST_FIELDS - 1}}}$"


def history_beside(resource: Resource[Any, Any, Any]) -> ReadBeside:
    """`?history=` of a record of this resource."""

    async def load(request: Request, session: ReadSession, entity_id: str, asked: str) -> Mapping[str, Any]:
        fields = asked.split(",")
        found = await history_of(request, session, resource, entity_id, fields, parameter="history", limit=_AT_ONCE)
        history: dict[str, list[Any]] = {field: [] for field in fields if field not in found.redacted}
        for each in found.data:
            history[each.field].append(each.model_dump(mode="json"))
        more = None
        if found.next_cursor is not None:
            more = f"/v1/{resource.plural}/{entity_id}/history?fields={asked}&cursor={found.next_cursor}"
        return {"history": history, "history_next": more}

    values = {"type": "array", "items": {"$ref": f"#/components/schemas/{FieldChange.__name__}"}}
    return ReadBeside(
        parameter={
            "name": "history",
            "in": "query",
            "required": False,
            "schema": {"type": "string", "pattern": _pattern(resource)},
            "description": "Members with commas between them: the answer has their `history`, newest first",
        },
        members={
            "history": {
                "type": "object",
                "description": "By member, where `?history=` asks for it: what it was, newest first",
                "additionalProperties": values,
            },
            "history_next": {
                "type": ["string", "null"],
                "description": "Where there is more of it",
            },
        },
        load=load,
    )


def add_history(router: ResourceRouter) -> None:
    """`/{id}/history` of the router's resource."""
    resource = router.resource
    named = {"type": "string", "pattern": _pattern(resource)}

    async def endpoint(
        request: Request,
        entity_id: EntityPath,
        session: Reading,
        fields: Annotated[str | None, WithJsonSchema(named), Query(description=_FIELDS)] = None,
        limit: Annotated[int, Query(ge=1, le=pagination.MAX_LIMIT)] = pagination.DEFAULT_LIMIT,
        cursor: Annotated[str, Query(pattern=_CURSOR)] = "",
    ) -> Response:
        row = await resource.get(session, entity_id)
        names = fields.split(",") if fields is not None else None
        found = await history_of(
            request, session, resource, row.id, names, parameter="fields", cursor=cursor, limit=limit
        )
        return json_response(request, found, headers=next_link(request, found.next_cursor))

    router.add_api_route(
        "/{entity_id}/history",
        endpoint,
        methods=["GET"],
        response_model=FieldHistory,
        operation_id=f"list_{resource.singular}_history",
        summary=f"What members of a {resource.label.en} were, when, by whom and from where",
        description="Newest first; what you do not see of the record you do not see of its past.",
    )
