"""Transfers over HTTP."""

from crm_kit.http.route import Writing
from crm_kit.resources import EntityPath, check_if_match, entity_response, resource_router
from fastapi import Request
from starlette.responses import Response

from gateway.features.transfers import usecases
from gateway.features.transfers.events import UNPUBLISHED
from gateway.features.transfers.resource import TRANSFERS
from gateway.features.transfers.schemas import Transfer

router = resource_router(TRANSFERS)


@router.post(
    "/{entity_id}/cancel", response_model=Transfer, operation_id="cancel_transfer", summary="Move no more records"
)
async def cancel(request: Request, entity_id: EntityPath, session: Writing) -> Response:
    row = await TRANSFERS.lock(session, entity_id)
    check_if_match(request, row.version)
    await usecases.cancel_transfer(session, row)
    return entity_response(request, UNPUBLISHED.snapshot(row))
