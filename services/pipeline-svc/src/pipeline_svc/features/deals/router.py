"""Deals over HTTP."""

from crm_contracts.pipeline import Deal, StageEntry
from crm_kit.http.route import Reading, Writing
from crm_kit.resources import EntityPath, Page, check_if_match, entity_response, json_response, resource_router
from fastapi import Request
from starlette.responses import Response

from pipeline_svc.features.deals.events import DEAL_EVENTS
from pipeline_svc.features.deals.resource import DEALS
from pipeline_svc.features.deals.schemas import DealMove
from pipeline_svc.features.deals.usecases import move_deal

router = resource_router(DEALS)


@router.post("/{entity_id}/move", response_model=Deal, operation_id="move_deal", summary="Move a deal to another stage")
async def move(request: Request, entity_id: EntityPath, data: DealMove, session: Writing) -> Response:
    row = await DEALS.lock(session, entity_id)
    check_if_match(request, row.version)
    await move_deal(session, row, data)
    return entity_response(request, DEAL_EVENTS.snapshot(row))


@router.get(
    "/{entity_id}/stage-history",
    response_model=Page[StageEntry],
    operation_id="list_deal_stage_history",
    summary="The stages that a deal was in, oldest first; the newest 100",
)
async def stage_history(request: Request, entity_id: EntityPath, session: Reading) -> Response:
    deal = DEAL_EVENTS.snapshot(await DEALS.get(session, entity_id))
    return json_response(request, Page[StageEntry](data=deal.stage_history, next_cursor=None))
