"""Replays of a webhook endpoint over HTTP."""

from crm_kit.db.models import columns
from crm_kit.http.route import Reading, TransactionRoute, Writing, route_options
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
from fastapi import APIRouter, Request
from starlette.responses import Response

from gateway.features.webhook_endpoints.resource import WEBHOOK_ENDPOINTS
from gateway.features.webhook_replays.events import UNPUBLISHED
from gateway.features.webhook_replays.models import WebhookReplayRow
from gateway.features.webhook_replays.resource import WEBHOOK_REPLAYS
from gateway.features.webhook_replays.schemas import WebhookReplay
from gateway.features.webhook_replays.usecases import cancel_replay

router = APIRouter(prefix="/v1/webhook-endpoints", tags=["webhook-endpoints"], route_class=TransactionRoute)

_c = columns(WebhookReplayRow)


@router.get(
    "/{entity_id}/replays",
    response_model=Page[WebhookReplay],
    operation_id="list_webhook_replays",
    summary="What the endpoint was told once more, the newest first",
    openapi_extra={"parameters": list_parameters(WEBHOOK_REPLAYS.fields)},
)
async def list_all(request: Request, entity_id: EntityPath, session: Reading) -> Response:
    endpoint = await WEBHOOK_ENDPOINTS.get(session, entity_id)
    page = await list_page(session, WEBHOOK_REPLAYS, request, within=_c.endpoint_id == endpoint.id)
    return json_response(request, page, headers=next_link(request, page.next_cursor))


@router.get(
    "/{entity_id}/replays/{replay_id}",
    response_model=WebhookReplay,
    operation_id="get_webhook_replay",
    summary="How far a replay has come",
)
async def get(request: Request, entity_id: EntityPath, replay_id: EntityPath, session: Reading) -> Response:
    await WEBHOOK_ENDPOINTS.get(session, entity_id)
    row = await WEBHOOK_REPLAYS.get_part(session, entity_id, replay_id)
    return entity_response(request, UNPUBLISHED.snapshot(row))


@router.post(
    "/{entity_id}/replays/{replay_id}/cancel",
    response_model=WebhookReplay,
    operation_id="cancel_webhook_replay",
    summary="Tell no more of it; what has arrived stays told",
    openapi_extra=route_options(needs="update"),
)
async def cancel(request: Request, entity_id: EntityPath, replay_id: EntityPath, session: Writing) -> Response:
    await WEBHOOK_ENDPOINTS.lock(session, entity_id)
    row = await WEBHOOK_REPLAYS.lock_part(session, entity_id, replay_id)
    check_if_match(request, row.version)
    await cancel_replay(session, row)
    return entity_response(request, UNPUBLISHED.snapshot(row))
