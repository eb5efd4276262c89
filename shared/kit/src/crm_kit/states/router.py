"""States over HTTP, for the gateway: outside `/v1`, so that no client reaches it."""

from crm_contracts.ids import prefix_of
from fastapi import APIRouter, Request
from starlette.responses import Response

from crm_kit.errors import NotFound
from crm_kit.http.route import Reading, TransactionRoute, Writing, route_options
from crm_kit.resources.responses import json_response
from crm_kit.states import repository
from crm_kit.states.schemas import IdList, IdQuery, OwnedQuery, Restated, Restatement, StateQuery

router = APIRouter(prefix="/internal/entities", route_class=TransactionRoute, include_in_schema=False)


def _publishes(request: Request) -> repository.Publishes:
    return {events.topic.entity: events for events in request.app.state.runtime.manifest.publishes}


@router.post("/states", openapi_extra=route_options(reads=True))
async def states(request: Request, query: StateQuery, session: Reading) -> Response:
    return json_response(request, await repository.by_ids(session, _publishes(request), query.ids))


@router.post("/owned", openapi_extra=route_options(reads=True))
async def owned(request: Request, query: OwnedQuery, session: Reading) -> Response:
    return json_response(request, await repository.owned(session, _publishes(request), query.owners, query.after))


@router.post("/ids", openapi_extra=route_options(reads=True))
async def ids(request: Request, query: IdQuery, session: Reading) -> Response:
    events = _publishes(request).get(query.type)
    if events is None:
        raise NotFound
    found = await repository.ids_of(session, events, after=query.after, limit=query.limit, at_random=query.random)
    return json_response(request, IdList(data=found))


@router.post("/restate")
async def restate(request: Request, body: Restatement, session: Writing) -> Response:
    """Publishes these entities' states once more, through the outbox."""
    publishes = _publishes(request)
    restated = [
        entity_id
        for entity_id in sorted(set(body.ids))
        if (events := publishes.get(prefix_of(entity_id) or "")) and await events.restated(session, entity_id)
    ]
    return json_response(request, Restated(ids=restated))
