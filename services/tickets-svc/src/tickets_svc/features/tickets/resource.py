"""Tickets as a resource, and their messages as a list that is written by its own route only."""

from typing import get_args

from crm_contracts.tickets import AuthorKind, TicketChannel, TicketPriority, TicketStatus, Visibility
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Digested, PartOf, Resource, base_fields
from crm_kit.rights import Ownership, Through, owned_by, through_copies

from tickets_svc.features.tickets import usecases
from tickets_svc.features.tickets.events import MESSAGE_EVENTS, TICKET_EVENTS
from tickets_svc.features.tickets.models import TicketMessageRow, TicketRow
from tickets_svc.features.tickets.schemas import MessageWrite, TicketWrite

_ticket = columns(TicketRow)
_message = columns(TicketMessageRow)

FIELDS = FieldSet(
    "Ticket",
    [
        *base_fields(TicketRow),
        Field("number", FieldType.INTEGER, _ticket.number, sortable=True, nullable=False),
        Field("subject", FieldType.TEXT, _ticket.subject, sortable=True, nullable=False),
        Field("status", FieldType.CHOICE, _ticket.status, choices=get_args(TicketStatus), nullable=False),
        Field("priority", FieldType.CHOICE, _ticket.priority, choices=get_args(TicketPriority), nullable=False),
        Field("channel", FieldType.CHOICE, _ticket.channel, choices=get_args(TicketChannel), nullable=False),
        Field("contact_id", FieldType.ID, _ticket.contact_id),
        Field("account_id", FieldType.ID, _ticket.account_id),
        Field("assignee_id", FieldType.ID, _ticket.assignee_id),
        Field("team_id", FieldType.ID, _ticket.team_id),
        Field("queue_id", FieldType.ID, _ticket.queue_id),
        Field("kind", FieldType.TEXT, _ticket.kind),
        Field("tag", FieldType.TEXT_LIST, _ticket.tags, value="tags"),
        Field("message_count", FieldType.INTEGER, _ticket.message_count, sortable=True, nullable=False),
        Field("last_message_at", FieldType.DATETIME, _ticket.last_message_at, sortable=True),
        Field("first_responded_at", FieldType.DATETIME, _ticket.first_responded_at, sortable=True),
        Field("solved_at", FieldType.DATETIME, _ticket.solved_at, sortable=True),
        Field("reopened_count", FieldType.INTEGER, _ticket.reopened_count, sortable=True, nullable=False),
    ],
)

TICKETS = Resource(
    singular="ticket",
    plural="tickets",
    label=Text("ticket", "工单"),
    row=TicketRow,
    write=TicketWrite,
    events=TICKET_EVENTS,
    fields=FIELDS,
    ownership=owned_by(_ticket, "assignee_id", through=through_copies(_ticket.contact_id, _ticket.account_id)),
    create=usecases.create_ticket,
    update=usecases.update_ticket,
    delete=usecases.delete_ticket,
    digests=Digested(("created_at", "updated_at")),
)

MESSAGES = Resource(
    singular="ticket_message",
    plural="ticket_messages",
    label=Text("message", "消息"),
    row=TicketMessageRow,
    write=MessageWrite,
    events=MESSAGE_EVENTS,
    fields=FieldSet(
        "TicketMessage",
        [
            *base_fields(TicketMessageRow),
            Field("at", FieldType.DATETIME, _message.at, sortable=True, nullable=False),
            Field("visibility", FieldType.CHOICE, _message.visibility, choices=get_args(Visibility), nullable=False),
            Field("author.kind", FieldType.CHOICE, _message.author_kind, choices=get_args(AuthorKind), nullable=False),
            Field("author.id", FieldType.TEXT, _message.author_id),
        ],
    ),
    ownership=Ownership(through=(Through(_message.ticket_id, TICKETS.ownership),)),
    within=PartOf(TICKETS, _message.ticket_id),
    create=None,
    update=None,
    delete=None,
    default_sort="-at",
)
