"""Facts over HTTP, for the gateway: outside `/v1`, so that no client reaches it."""

from crm_contracts.facts import Scope, TicketsFacts
from crm_kit.http.route import Reading, TransactionRoute, route_options
from crm_kit.resources import json_response
from fastapi import APIRouter, Request
from starlette.responses import Response

from tickets_svc.features.customers import repository
from tickets_svc.features.tickets.events import MESSAGE_EVENTS, TICKET_EVENTS

router = APIRouter(prefix="/internal", route_class=TransactionRoute, include_in_schema=False)


@router.post("/facts", openapi_extra=route_options(reads=True))
async def facts(request: Request, scope: Scope, session: Reading) -> Response:
    return json_response(
        request,
        TicketsFacts(
            open_tickets=[TICKET_EVENTS.snapshot(row) for row in await repository.open_tickets(session, scope)],
            counts=await repository.count_by_status(session, scope),
            tickets=[TICKET_EVENTS.snapshot(row) for row in await repository.newest_tickets(session, scope)],
            messages=[MESSAGE_EVENTS.snapshot(row) for row in await repository.newest_messages(session, scope)],
        ),
    )
