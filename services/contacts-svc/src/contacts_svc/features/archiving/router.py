"""Archiving and restoring over HTTP."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from crm_kit.http.route import Caller, TransactionRoute, Writing, route_options
from crm_kit.resources import EntityPath, Resource, check_if_match, entity_response
from fastapi import APIRouter, Request
from starlette.responses import Response

from contacts_svc.features.archiving.usecases import ARCHIVED, archive, restore

router = APIRouter(prefix="/v1", route_class=TransactionRoute)

_SAID: Final = {
    "archive": "Lists and searches leave it out from then on, and no campaign writes to it; its id stays, and so does all that"
    " refers to it. Once archived, nothing changes.",
    "restore": "Back into lists and searches. Where it is not archived nothing changes.",
}


def _add(resource: Resource[Any, Any, Any], verb: str, act: Callable[..., Awaitable[None]]) -> None:
    async def endpoint(request: Request, entity_id: EntityPath, session: Writing, caller: Caller) -> Response:
        row = await resource.lock(session, entity_id)
        check_if_match(request, row.version)
        await act(session, resource, row, caller)
        return entity_response(request, resource.events.snapshot(row))

    router.add_api_route(
        f"/{resource.plural}/{{entity_id}}/{verb}",
        endpoint,
        methods=["POST"],
        tags=[resource.plural],
        response_model=resource.read,
        operation_id=f"{verb}_{resource.singular}",
        summary=f"{verb.capitalize()} a {resource.label.en}",
        description=_SAID[verb],
        openapi_extra=route_options(needs="update"),
    )


for _resource in ARCHIVED.values():
    _add(_resource, "archive", archive)
    _add(_resource, "restore", restore)
