"""Backfills of an inbound source over HTTP. Their jobs are cancelled as all others."""

from typing import Annotated

from crm_contracts.ids import InboundBackfillId, prefix_of
from crm_kit.errors import InvalidCursor, NotFound
from crm_kit.http.route import Caller, Reading, TransactionRoute, Writing, route_options
from crm_kit.resources import EntityPath, check_if_match, entity_response, json_response
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from gateway.features.inbound_backfills import repository, usecases
from gateway.features.inbound_backfills.events import UNPUBLISHED
from gateway.features.inbound_backfills.schemas import BackfillWrite, InboundBackfill, InboundBackfillPage
from gateway.features.inbound_sources.resource import INBOUND_SOURCES

router = APIRouter(prefix="/v1/inbound-sources", tags=["inbound-sources"], route_class=TransactionRoute)

BackfillPath = Annotated[str, Path(description="The backfill's id")]


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
    session.sights = None  # who sees a source sees its runs
    location = f"/v1/inbound-sources/{source.id}/backfills/{begun.id}"
    return json_response(request, begun, status=201, headers={"Location": location})


@router.get("/{entity_id}/backfills", operation_id="list_inbound_backfills", response_model=InboundBackfillPage)
async def list_all(
    request: Request,
    entity_id: EntityPath,
    session: Reading,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """The source's runs, newest first, with how far each has come."""
    source = await INBOUND_SOURCES.get(session, entity_id)
    if cursor is not None and prefix_of(cursor) != InboundBackfillId.prefix:
        raise InvalidCursor
    found = await repository.page(session, source.id, cursor, limit + 1)
    session.sights = None
    rows = found[:limit]
    following = rows[-1].id if len(found) > limit else None
    page = InboundBackfillPage(data=[UNPUBLISHED.snapshot(row) for row in rows], next_cursor=following)
    return json_response(request, page)


@router.get("/{entity_id}/backfills/{backfill_id}", operation_id="get_inbound_backfill", response_model=InboundBackfill)
async def get(request: Request, entity_id: EntityPath, backfill_id: BackfillPath, session: Reading) -> Response:
    """How far a run has come, by resource, and what keeps it."""
    source = await INBOUND_SOURCES.get(session, entity_id)
    row = await repository.find(session, source.id, backfill_id)
    if row is None:
        raise NotFound
    session.sights = None
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
    if await repository.find(session, source.id, backfill_id) is None:
        raise NotFound
    row = await repository.lock(session, backfill_id)
    if row is None:
        raise NotFound
    check_if_match(request, row.version)
    resumed = await usecases.resume_backfill(session, source, row, caller)
    session.sights = None
    return entity_response(request, resumed)
