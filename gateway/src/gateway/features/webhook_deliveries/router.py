"""Deliveries and events of a webhook endpoint over HTTP."""

from datetime import datetime
from typing import Annotated

import orjson
from crm_contracts.types import format_timestamp
from crm_kit.errors import InvalidCursor
from crm_kit.http.route import Reading, TransactionRoute, Writing, route_options
from crm_kit.resources import EntityPath, json_response
from fastapi import APIRouter, Header, Path, Query, Request
from starlette.responses import Response, StreamingResponse

from gateway.features.webhook_deliveries import usecases
from gateway.features.webhook_deliveries.schemas import (
    DeliveryStatus,
    EventPage,
    Replayed,
    WebhookDelivery,
    WebhookDeliveryPage,
)
from gateway.features.webhook_deliveries.streaming import next_page, stream
from gateway.features.webhook_endpoints.resource import WEBHOOK_ENDPOINTS
from gateway.features.webhook_endpoints.schemas import EventCursor, ReplayWrite

router = APIRouter(prefix="/v1/webhook-endpoints", tags=["webhook-endpoints"], route_class=TransactionRoute)

_EVENT_STREAM = "text/event-stream"


@router.get("/{entity_id}/deliveries", operation_id="list_webhook_deliveries", response_model=WebhookDeliveryPage)
async def list_all(
    request: Request,
    entity_id: EntityPath,
    session: Reading,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    status: DeliveryStatus | None = None,
    kind: Annotated[str | None, Query(max_length=200)] = None,
    event_id: Annotated[str | None, Query(max_length=100)] = None,
    subject: Annotated[str | None, Query(max_length=100)] = None,
) -> Response:
    """What was told, or is to be told again, the newest first."""
    row = await WEBHOOK_ENDPOINTS.get(session, entity_id)
    before = _before(cursor) if cursor else None
    found = await usecases.list_deliveries(
        session, row.id, limit=limit + 1, before=before, status=status, kind=kind, event_id=event_id, subject=subject
    )
    rows = found[:limit]
    more = f"{format_timestamp(rows[-1].created_at)}~{rows[-1].id}" if len(found) > limit else None
    return json_response(request, WebhookDeliveryPage(data=[usecases.told(one) for one in rows], next_cursor=more))


def _before(cursor: str) -> tuple[datetime, str]:
    moment, _, delivery_id = cursor.partition("~")
    try:
        found = datetime.fromisoformat(moment)
    except ValueError:
        raise InvalidCursor from None
    if found.tzinfo is None or not delivery_id.isascii() or not delivery_id.isprintable():
        raise InvalidCursor
    return found, delivery_id


@router.get(
    "/{entity_id}/deliveries/{delivery_id}", operation_id="get_webhook_delivery", response_model=WebhookDelivery
)
async def get(
    request: Request,
    entity_id: EntityPath,
    delivery_id: Annotated[str, Path(description="The delivery's id")],
    session: Reading,
) -> Response:
    """Read a delivery, with its attempts."""
    row = await WEBHOOK_ENDPOINTS.get(session, entity_id)
    return json_response(request, usecases.told(await usecases.find_delivery(session, row.id, delivery_id)))


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
    return json_response(request, await usecases.replay(session, row, data), status=202)


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
