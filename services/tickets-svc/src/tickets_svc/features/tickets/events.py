"""From the rows to what others may see of them."""

from typing import Final

from crm_contracts.registry import TICKET, TICKET_MESSAGE
from crm_contracts.tickets import Sla, Ticket, TicketMessage
from crm_kit.outbox import EntityEvents

from tickets_svc.features.tickets.models import TicketMessageRow, TicketRow

_NO_SLA: Final = Sla(first_response_due_at=None, resolution_due_at=None, breached=False)


def ticket_snapshot(row: TicketRow) -> Ticket:
    """No service level agreement applies and no sentiment is known yet."""
    return Ticket.model_validate({**row.model_dump(), "sla": _NO_SLA, "sentiment": None})


def message_snapshot(row: TicketMessageRow) -> TicketMessage:
    return TicketMessage.model_validate({**row.model_dump(), "author": {"kind": row.author_kind, "id": row.author_id}})


TICKET_EVENTS = EntityEvents(TICKET, TicketRow, ticket_snapshot)
MESSAGE_EVENTS = EntityEvents(TICKET_MESSAGE, TicketMessageRow, message_snapshot)
