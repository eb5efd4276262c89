"""Backfills of an inbound source over HTTP. Their jobs are cancelled as all others."""

from typing import Annotated

from crm_kit.db.models import columns
from crm_kit.http.route import Caller, Reading, TransactionRoute, Writing, route_options
from crm_kit.resources import (
    EntityPath,
    Page,
    check_if_match,
    entity_response,
    json_response,
    list_page,
    list_parameters,
    next_link,
)
from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from gateway.features.inbound_backfills import usecases
from gateway.features.inbound_backfills.events import UNPUBLISHED
from gateway.features.inbound_backfills.models import InboundBackfillRow
from gateway.features.inbound_backfills.resource import INBOUND_BACKFILLS
from gateway.features.inbound_backfills.schemas import BackfillWrite, InboundBackfill
from gateway.features.inbound_sources.resource import INBOUND_SOURCES

router = APIRouter(prefix="/v1/inbound-sources", tags=["inbound-sources"], route_class=TransactionRoute)

BackfillPath = Annotated[str, Path(description="The backfill's id")]
_c = columns(InboundBackfillRow)


@router.post(
    "/{entity_id}/backfills",
    status_code=201,
    response_model=InboundBackfill,
    operation_id="start_inbound_backfill",
    summary="Ask the shop for what it has, page by page, and take that in as if it had been sent",
    openapi_extra=route_options(needs="admin"),
)
async def start(
    request: Request, entity_id: EntityPath, session: Writing, caller: Caller, data: BackfillWrite | None = None
) -> Response:
    source = await INBOUND_SOURCES.lock(session, entity_id)
    begun = await usecases.start_backfill(session, source, data or BackfillWrite(), caller)
    location = f"/v1/inbound-sources/{source.id}/backfills/{begun.id}"
    return json_response(request, begun, status=201, headers={"Location": location})


@router.get(
    "/{entity_id}/backfills",
    response_model=Page[InboundBackfill],
    operation_id="list_inbound_backfills",
    summary="The source's runs, newest first, with how far each has come",
    openapi_extra={"parameters": list_parameters(INBOUND_BACKFILLS.fields)},
)
async def list_all(request: Request, entity_id: EntityPath, session: Reading) -> Response:
    source = await INBOUND_SOURCES.get(session, entity_id)
    page = await list_page(session, INBOUND_BACKFILLS, request, within=_c.source_id == source.id)
    return json_response(request, page, headers=next_link(request, page.next_cursor))


@router.get("/{entity_id}/backfills/{backfill_id}", operation_id="get_inbound_backfill", response_model=InboundBackfill)
async def get(request: Request, entity_id: EntityPath, backfill_id: BackfillPath, session: Reading) -> Response:
    """How far a run has come, by resource, and what keeps it."""
    await INBOUND_SOURCES.get(session, entity_id)
    row = await INBOUND_BACKFILLS.get_part(session, entity_id, backfill_id)
    return entity_response(request, UNPUBLISHED.snapshot(row))


@router.post(
    "/{entity_id}/backfills/{backfill_id}/resume",
    response_model=InboundBackfill,
    operation_id="resume_inbound_backfill",
    summary="Go on with a run that failed or was cancelled, where it stood",
    openapi_extra=route_options(needs="admin"),
)
async def resume(
    request: Request, entity_id: EntityPath, backfill_id: BackfillPath, session: Writing, caller: Caller
) -> Response:
    source = await INBOUND_SOURCES.lock(session, entity_id)
    row = await INBOUND_BACKFILLS.lock_part(session, source.id, backfill_id)
    check_if_match(request, row.version)
    resumed = await usecases.resume_backfill(session, source, row, caller)
    return entity_response(request, resumed)
