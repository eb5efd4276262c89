"""Merges over HTTP."""

from crm_contracts.contacts import Merge
from crm_kit.http.etag import entity_tag
from crm_kit.http.route import Caller, TransactionRoute, Writing, route_options
from crm_kit.resources import EntityPath, check_if_match, entity_response, json_response, resource_router
from fastapi import APIRouter, Request
from starlette.responses import Response

from contacts_svc.features.merges.events import MERGE_EVENTS
from contacts_svc.features.merges.resource import MERGES
from contacts_svc.features.merges.schemas import MergeResult, MergeWrite
from contacts_svc.features.merges.usecases import lock_for_merge, merge_contacts, undo_merge

router = APIRouter(route_class=TransactionRoute)


@router.post(
    "/v1/contacts/{entity_id}/merge",
    tags=["contacts"],
    status_code=201,
    response_model=MergeResult,
    operation_id="merge_contacts",
    summary="Merge others into this contact",
    responses={200: {"model": MergeResult, "description": "A dry run: nothing has changed"}},
    openapi_extra=route_options(needs="update"),
)
async def merge(
    request: Request, entity_id: EntityPath, data: MergeWrite, session: Writing, caller: Caller
) -> Response:
    """The ids of the others answer 410 with `merged_into` from then on, and what refers to them follows. It can be undone.

    It takes `contacts:delete` on the others, and the right to read everything of all of them.
    """
    rows = await lock_for_merge(session, entity_id, data.from_)
    check_if_match(request, rows[entity_id].version)
    result = await merge_contacts(session, entity_id, rows, data, caller)
    if result.merge is None:
        return json_response(request, result)
    headers = {
        "ETag": entity_tag(result.merge.version),
        "Location": f"/v1/merges/{result.merge.id}",
        "Consistency-Token": f"{result.contact.id}@{result.contact.version}",
    }
    return json_response(request, result, status=201, headers=headers)


@router.post(
    "/v1/merges/{entity_id}/undo",
    tags=["merges"],
    response_model=Merge,
    operation_id="undo_merge",
    summary="Take a merge back",
    openapi_extra=route_options(needs="update"),
)
async def undo(request: Request, entity_id: EntityPath, session: Writing, caller: Caller) -> Response:
    """Every merged contact is there again, with what referred to it; what was written to the one that is left since, stays there."""
    row = await MERGES.lock(session, entity_id)
    check_if_match(request, row.version)
    await undo_merge(session, row, caller)
    return entity_response(request, MERGE_EVENTS.snapshot(row))


router.include_router(resource_router(MERGES))
