"""The statements behind the facts; each has a bound."""

from collections.abc import Sequence
from typing import Any

from crm_contracts.facts import CLOSED_TICKETS, MAX_OPEN, MAX_TIMELINE, Scope
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession
from sqlalchemy import ColumnElement, func, or_, select

from tickets_svc.features.tickets.models import TicketMessageRow, TicketRow

_ticket = columns(TicketRow)
_message = columns(TicketMessageRow)


async def open_tickets(session: ReadSession, scope: Scope) -> Sequence[TicketRow]:
    statement = (
        select(TicketRow)
        .where(_in_scope(_ticket, scope), _ticket.status.not_in(CLOSED_TICKETS))
        .order_by(_ticket.created_at.desc(), _ticket.id.desc())
        .limit(MAX_OPEN)
    )
    return (await session.scalars(statement)).all()


async def count_by_status(session: ReadSession, scope: Scope) -> dict[str, int]:
    counted = func.count().label("counted")
    statement = select(_ticket.status, counted).where(_in_scope(_ticket, scope)).group_by(_ticket.status)
    return {row.status: row.counted for row in await session.execute(statement)}


async def newest_tickets(session: ReadSession, scope: Scope) -> Sequence[TicketRow]:
    statement = (
        select(TicketRow)
        .where(_in_scope(_ticket, scope))
        .order_by(_ticket.timeline_at.desc(), _ticket.id.desc())
        .limit(MAX_TIMELINE)
    )
    return (await session.scalars(statement)).all()


async def newest_messages(session: ReadSession, scope: Scope) -> Sequence[TicketMessageRow]:
    statement = (
        select(TicketMessageRow)
        .where(_in_scope(_message, scope))
        .order_by(_message.at.desc(), _message.id.desc())
        .limit(MAX_TIMELINE)
    )
    return (await session.scalars(statement)).all()


def _in_scope(c: Any, scope: Scope) -> ColumnElement[bool]:
    belongs: ColumnElement[bool] = c.contact_id.in_(scope.contact_ids)
    if scope.account_id is not None:
        belongs = or_(belongs, c.account_id == scope.account_id)
    return belongs
