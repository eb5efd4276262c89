"""Every statement about tickets and messages beyond those that all resources have.

A ticket has at most rules.MAX_MESSAGES messages, and its own lock guards them all.
"""

from collections.abc import Sequence

from crm_kit.db.models import columns
from crm_kit.db.session import WriteSession
from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert

from tickets_svc.features.tickets.models import TicketCounterRow, TicketMessageRow, TicketRow

_counter = columns(TicketCounterRow)
_message = columns(TicketMessageRow)


async def messages_of(session: WriteSession, ticket_id: str) -> Sequence[TicketMessageRow]:
    """All of a ticket's, locked, oldest first."""
    statement = (
        select(TicketMessageRow)
        .where(_message.ticket_id == ticket_id)
        .order_by(_message.at, _message.id)
        .with_for_update()
    )
    return (await session.scalars(statement)).all()


async def messages_elsewhere(session: WriteSession, ticket: TicketRow) -> Sequence[TicketMessageRow]:
    """Those that still name another customer than their ticket, locked, oldest first."""
    statement = (
        select(TicketMessageRow)
        .where(
            _message.ticket_id == ticket.id,
            or_(
                _message.contact_id.is_distinct_from(ticket.contact_id),
                _message.account_id.is_distinct_from(ticket.account_id),
            ),
        )
        .order_by(_message.at, _message.id)
        .with_for_update()
    )
    return (await session.scalars(statement)).all()


async def next_number(session: WriteSession) -> int:
    """The tenant's next number. It holds the counter until the transaction ends: ask for it late."""
    statement = insert(TicketCounterRow).values(tenant_id=session.tenant_id, last_number=1)
    number: int = await session.scalar(
        statement.on_conflict_do_update(
            index_elements=["tenant_id"], set_={"last_number": _counter.last_number + 1}
        ).returning(_counter.last_number)
    )
    return number
