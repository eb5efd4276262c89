"""Inbound deliveries over HTTP."""

from crm_kit.audit import note_access
from crm_kit.http.route import Reading, Writing, route_options
from crm_kit.resources import EntityPath, check_if_match, entity_response, json_response, resource_router
from fastapi import Request
from starlette.responses import Response

from gateway.features.inbound_deliveries import usecases
from gateway.features.inbound_deliveries.events import UNPUBLISHED
from gateway.features.inbound_deliveries.resource import INBOUND_DELIVERIES
from gateway.features.inbound_deliveries.schemas import InboundDelivery, InboundPayload, Rerun, RerunWhich

router = resource_router(INBOUND_DELIVERIES)


@router.post(
    "/rerun",
    response_model=Rerun,
    operation_id="rerun_inbound_deliveries",
    summary="Run the parked deliveries of a source anew, once its mapping is mended",
    openapi_extra=route_options(needs="update"),
)
async def rerun_many(request: Request, which: RerunWhich, session: Writing) -> Response:
    return json_response(request, await usecases.rerun_parked(session, which))


@router.post(
    "/{entity_id}/rerun",
    response_model=InboundDelivery,
    operation_id="rerun_inbound_delivery",
    summary="Run a delivery anew",
    openapi_extra=route_options(needs="update"),
)
async def rerun(request: Request, entity_id: EntityPath, session: Writing) -> Response:
    row = await INBOUND_DELIVERIES.lock(session, entity_id)
    check_if_match(request, row.version)
    await usecases.rerun_delivery(session, row)
    return entity_response(request, UNPUBLISHED.snapshot(row))


@router.get(
    "/{entity_id}/payload",
    response_model=InboundPayload,
    operation_id="get_inbound_payload",
    summary="What was sent, as it was sent",
    openapi_extra=route_options(needs="read"),
)
async def payload(request: Request, entity_id: EntityPath, session: Reading) -> Response:
    row = await INBOUND_DELIVERIES.get(session, entity_id)
    found = await usecases.payload_of(session, row)
    note_access(request, "viewed", resource="inbound_delivery", entity_id=row.id)
    return json_response(request, found)
