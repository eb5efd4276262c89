"""Tickets and their messages over HTTP."""

from crm_contracts.tickets import Ticket, TicketMessage
from crm_kit.db.models import columns
from crm_kit.http.route import Caller, Reading, Writing
from crm_kit.resources import (
    EntityPath,
    Page,
    admit,
    check_if_match,
    entity_response,
    json_response,
    list_page,
    next_link,
    resource_router,
)
from fastapi import Request
from starlette.responses import Response

from tickets_svc.features.tickets.events import MESSAGE_EVENTS, TICKET_EVENTS
from tickets_svc.features.tickets.models import TicketMessageRow
from tickets_svc.features.tickets.resource import MESSAGES, TICKETS
from tickets_svc.features.tickets.schemas import MessageWrite, TicketReopen, TicketSolve
from tickets_svc.features.tickets.usecases import add_message, reopen_ticket, solve_ticket

router = resource_router(TICKETS)


@router.post(
    "/{entity_id}/solve",
    response_model=Ticket,
    operation_id="solve_ticket",
    summary="Solve a ticket; a solved one is answered as it is",
)
async def solve(
    request: Request, entity_id: EntityPath, session: Writing, caller: Caller, data: TicketSolve | None = None
) -> Response:
    row = await TICKETS.lock(session, entity_id)
    check_if_match(request, row.version)
    await solve_ticket(session, row, data.message if data else None, caller)
    return entity_response(request, TICKET_EVENTS.snapshot(row))


@router.post(
    "/{entity_id}/reopen",
    response_model=Ticket,
    operation_id="reopen_ticket",
    summary="Reopen a ticket; a new or open one is answered as it is",
)
async def reopen(
    request: Request, entity_id: EntityPath, session: Writing, caller: Caller, data: TicketReopen | None = None
) -> Response:
    row = await TICKETS.lock(session, entity_id)
    check_if_match(request, row.version)
    await reopen_ticket(session, row, data.reason if data else None, caller)
    return entity_response(request, TICKET_EVENTS.snapshot(row))


@router.post(
    "/{ticket_id}/messages",
    status_code=201,
    response_model=TicketMessage,
    operation_id="add_ticket_message",
    summary="Add a message, public or internal",
)
async def add(
    request: Request, ticket_id: EntityPath, data: MessageWrite, session: Writing, caller: Caller
) -> Response:
    ticket = await TICKETS.lock(session, ticket_id)
    message = await add_message(session, ticket, data, caller)
    await admit(session, MESSAGES, message.id, data, "update")
    return entity_response(request, message, status=201, location=f"/v1/tickets/{ticket.id}/messages/{message.id}")


@router.get(
    "/{ticket_id}/messages",
    response_model=Page[TicketMessage],
    operation_id="list_ticket_messages",
    summary="Messages, newest first",
)
async def messages(request: Request, ticket_id: EntityPath, session: Reading) -> Response:
    ticket = await TICKETS.get(session, ticket_id)
    page = await list_page(session, MESSAGES, request, within=columns(TicketMessageRow).ticket_id == ticket.id)
    return json_response(request, page, headers=next_link(request, page.next_cursor))


@router.get(
    "/{ticket_id}/messages/{entity_id}",
    response_model=TicketMessage,
    operation_id="get_ticket_message",
    summary="Read a message",
)
async def message(request: Request, ticket_id: EntityPath, entity_id: EntityPath, session: Reading) -> Response:
    row = await MESSAGES.get_part(session, ticket_id, entity_id)
    return entity_response(request, MESSAGE_EVENTS.snapshot(row))
