"""Deliveries and events of a webhook endpoint over HTTP."""

from typing import Annotated

import orjson
from crm_kit.db.models import columns
from crm_kit.http.route import Reading, TransactionRoute, Writing, route_options
from crm_kit.resources import EntityPath, Page, entity_response, json_response, list_page, list_parameters, next_link
from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response, StreamingResponse

from gateway.features.webhook_deliveries import usecases
from gateway.features.webhook_deliveries.events import UNPUBLISHED
from gateway.features.webhook_deliveries.models import WebhookDeliveryRow
from gateway.features.webhook_deliveries.resource import WEBHOOK_DELIVERIES
from gateway.features.webhook_deliveries.schemas import EventPage, Replayed, WebhookDelivery
from gateway.features.webhook_deliveries.streaming import next_page, stream
from gateway.features.webhook_endpoints.resource import WEBHOOK_ENDPOINTS
from gateway.features.webhook_endpoints.schemas import EventCursor, ReplayWrite

router = APIRouter(prefix="/v1/webhook-endpoints", tags=["webhook-endpoints"], route_class=TransactionRoute)

_EVENT_STREAM = "text/event-stream"
_c = columns(WebhookDeliveryRow)


@router.get(
    "/{entity_id}/deliveries",
    operation_id="list_webhook_deliveries",
    summary="What was told, or is to be told again, the newest first",
    response_model=Page[WebhookDelivery],
    openapi_extra={"parameters": list_parameters(WEBHOOK_DELIVERIES.fields)},
)
async def list_all(request: Request, entity_id: EntityPath, session: Reading) -> Response:
    endpoint = await WEBHOOK_ENDPOINTS.get(session, entity_id)
    page = await list_page(session, WEBHOOK_DELIVERIES, request, within=_c.endpoint_id == endpoint.id)
    return json_response(request, page, headers=next_link(request, page.next_cursor))


@router.get(
    "/{entity_id}/deliveries/{delivery_id}",
    operation_id="get_webhook_delivery",
    summary="Read a delivery, with its attempts",
    response_model=WebhookDelivery,
)
async def get(request: Request, entity_id: EntityPath, delivery_id: EntityPath, session: Reading) -> Response:
    await WEBHOOK_ENDPOINTS.get(session, entity_id)
    row = await WEBHOOK_DELIVERIES.get_part(session, entity_id, delivery_id)
    return entity_response(request, UNPUBLISHED.snapshot(row))


@router.post(
    "/{entity_id}/test",
    status_code=202,
    response_model=WebhookDelivery,
    operation_id="test_webhook_endpoint",
    summary="Send a test event; the delivery tells what came of it",
    openapi_extra=route_options(needs="update"),
)
async def test(request: Request, entity_id: EntityPath, session: Writing) -> Response:
    row = await WEBHOOK_ENDPOINTS.lock(session, entity_id)
    return json_response(request, await usecases.try_endpoint(session, row), status=202)


@router.post(
    "/{entity_id}/replay",
    status_code=202,
    response_model=Replayed,
    operation_id="replay_webhook_events",
    summary="Tell once more: some deliveries, or events by time, kind and customer, or all that are kept",
    openapi_extra=route_options(needs="update"),
)
async def replay(request: Request, entity_id: EntityPath, data: ReplayWrite, session: Writing) -> Response:
    row = await WEBHOOK_ENDPOINTS.lock(session, entity_id)
    replayed = await usecases.replay(session, row, data)
    headers = {"Location": f"{request.url.path}s/{replayed.replay_id}"} if replayed.replay_id is not None else {}
    return json_response(request, replayed, status=202, headers=headers)


@router.get(
    "/{entity_id}/events",
    operation_id="list_webhook_events",
    summary="Fetch events, or follow them as server-sent events: by the same cursor as they are pushed by",
    response_model=EventPage,
    responses={200: {"content": {_EVENT_STREAM: {}}}},
)
async def events(
    request: Request,
    entity_id: EntityPath,
    session: Reading,
    after: Annotated[
        EventCursor | None,
        Query(description="A cursor, `beginning` or `snapshot`; where the endpoint stands if left out"),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    last_event_id: Annotated[str | None, Header(max_length=2000, description="As `after`, for EventSource")] = None,
) -> Response:
    """With `Accept: text/event-stream` each event is one message, whose id is its cursor."""
    row = await WEBHOOK_ENDPOINTS.get(session, entity_id)
    state = request.app.state
    place = await usecases.place_of(session, row, last_event_id or after)
    if _EVENT_STREAM in request.headers.get("accept", ""):
        runtime = state.runtime
        body = stream(
            runtime.database, state.services, session.tenant_id, row.id, place, lambda: runtime.shutdown.asked
        )
        return StreamingResponse(body, media_type=_EVENT_STREAM, headers={"Cache-Control": "no-store"})
    page = await next_page(session, state.services, row.id, place, limit)
    content = b'{"data":[%s],"next_cursor":%s,"has_more":%s}' % (
        b",".join(one.body for one in page.told),
        orjson.dumps(str(page.place)),
        b"false" if page.is_last else b"true",
    )
    return Response(content, media_type="application/json")
