"""Legal holds over HTTP."""

from crm_contracts.retention import LegalHold
from crm_kit.http.route import Caller, Writing, route_options
from crm_kit.resources import EntityPath, check_if_match, entity_response, resource_router
from fastapi import Request
from starlette.responses import Response

from contacts_svc.features.legal_holds.events import LEGAL_HOLD_EVENTS
from contacts_svc.features.legal_holds.resource import LEGAL_HOLDS
from contacts_svc.features.legal_holds.usecases import release_hold

router = resource_router(LEGAL_HOLDS)


@router.post(
    "/{entity_id}/release",
    response_model=LegalHold,
    operation_id="release_legal_hold",
    summary="End a legal hold",
    openapi_extra=route_options(needs="update"),
)
async def release(request: Request, entity_id: EntityPath, session: Writing, caller: Caller) -> Response:
    """What is due of the contact by then goes with the next run of each rule."""
    row = await LEGAL_HOLDS.lock(session, entity_id)
    check_if_match(request, row.version)
    await release_hold(session, row, caller)
    return entity_response(request, LEGAL_HOLD_EVENTS.snapshot(row))
