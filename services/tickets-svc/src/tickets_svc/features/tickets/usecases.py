"""What can be done with a ticket and on it."""

from crm_contracts.facts import CLOSED_TICKETS
from crm_contracts.ids import TicketId, TicketMessageId
from crm_contracts.tickets import Ticket, TicketMessage, TicketStatus
from crm_kit.db.models import utc_now
from crm_kit.db.session import WriteSession
from crm_kit.errors import FieldError, Text
from crm_kit.http.principal import Principal
from crm_kit.merging import with_current

from tickets_svc.features.tickets import repository, rules
from tickets_svc.features.tickets.errors import TicketFull, TransitionRefused, open_a_new_one
from tickets_svc.features.tickets.events import MESSAGE_EVENTS, TICKET_EVENTS
from tickets_svc.features.tickets.models import TicketMessageRow, TicketRow, progress_of, set_progress
from tickets_svc.features.tickets.schemas import AuthorWrite, MessageWrite, TicketWrite


async def create_ticket(session: WriteSession, data: TicketWrite, caller: Principal) -> Ticket:
    """A ticket may enter in any status: those of another system come with theirs."""
    data = await with_current(session, data, "contact_id")
    now = utc_now()
    row = TicketRow(id=TicketId.new(), number=0, subject=data.subject, created_at=now, updated_at=now, timeline_at=now)
    _write(row, data)
    set_progress(row, rules.Progress(data.status, solved_at=now if data.status in CLOSED_TICKETS else None))
    message = _new_message(row, data.message, caller, opening=True) if data.message else None
    row.number = await repository.next_number(session)
    ticket = await TICKET_EVENTS.created(session, row)
    if message is not None:
        message.ticket_number = row.number
        await MESSAGE_EVENTS.created(session, message)
    return ticket


async def update_ticket(session: WriteSession, row: TicketRow, data: TicketWrite, caller: Principal) -> None:
    """The ticket's messages go with it to another customer."""
    before = TICKET_EVENTS.snapshot(row)
    data = await with_current(session, data, "contact_id", row)
    _write(row, data)
    _move(row, data.status)
    message = _new_message(row, data.message, caller) if data.message else None
    await TICKET_EVENTS.updated(session, row, before, action=rules.event_action(before.status, progress_of(row).status))
    if message is not None:
        await MESSAGE_EVENTS.created(session, message)
    if (row.contact_id, row.account_id) != (before.contact_id, before.account_id):
        await take_messages_along(session, row)


async def delete_ticket(session: WriteSession, row: TicketRow, _caller: Principal) -> None:
    for message in await repository.messages_of(session, row.id):
        await MESSAGE_EVENTS.deleted(session, message)
    await TICKET_EVENTS.deleted(session, row)


async def solve_ticket(session: WriteSession, row: TicketRow, message: MessageWrite | None, caller: Principal) -> None:
    """A solved ticket stays as it is, its messages too: a retry adds nothing."""
    if row.status == "solved":
        return
    before = TICKET_EVENTS.snapshot(row)
    added = _new_message(row, message, caller) if message else None
    try:
        set_progress(row, rules.move(progress_of(row), "solved", utc_now()))
    except rules.TransitionNotAllowed as error:
        raise open_a_new_one() from error
    await TICKET_EVENTS.updated(session, row, before, action="solved")
    if added is not None:
        await MESSAGE_EVENTS.created(session, added)


async def reopen_ticket(session: WriteSession, row: TicketRow, reason: str | None, caller: Principal) -> None:
    """A ticket that is new or open stays as it is, its messages too."""
    before = TICKET_EVENTS.snapshot(row)
    try:
        progress = rules.reopen(progress_of(row), utc_now())
    except rules.TransitionNotAllowed as error:
        raise open_a_new_one() from error
    if progress.status == before.status:
        return
    set_progress(row, progress)
    note = MessageWrite(body=reason, visibility="internal") if reason else None
    added = _new_message(row, note, caller) if note else None
    await TICKET_EVENTS.updated(session, row, before, action="reopened")
    if added is not None:
        await MESSAGE_EVENTS.created(session, added)


async def add_message(session: WriteSession, ticket: TicketRow, data: MessageWrite, caller: Principal) -> TicketMessage:
    """`ticket` is locked."""
    before = TICKET_EVENTS.snapshot(ticket)
    message = _new_message(ticket, data, caller)
    await TICKET_EVENTS.updated(session, ticket, before, action="message_added")
    return await MESSAGE_EVENTS.created(session, message)


def _write(row: TicketRow, data: TicketWrite) -> None:
    """References may be ahead of what they refer to: other services own it."""
    row.tags = rules.unique(data.tags)
    row.custom = dict(data.custom)
    row.shares = [share.model_dump(mode="json") for share in data.shares]
    for field in (
        "subject",
        "contact_id",
        "account_id",
        "channel",
        "priority",
        "queue_id",
        "assignee_id",
        "team_id",
        "kind",
    ):
        setattr(row, field, getattr(data, field))


def _move(row: TicketRow, status: TicketStatus) -> None:
    try:
        set_progress(row, rules.move(progress_of(row), status, utc_now()))
    except rules.TransitionNotAllowed as error:
        raise _refused(error) from error


def _refused(error: rules.TransitionNotAllowed) -> TransitionRefused:
    if error.allowed:
        detail = Text(
            f"A ticket that is {error.present} can become {', '.join(error.allowed)}; not {error.wanted}.",
            f"状态为 {error.present} 的工单可变为 {'、'.join(error.allowed)}，不能变为 {error.wanted}。",
        )
    else:
        detail = Text(
            f"A ticket that is {error.present} keeps its status; open a new ticket.",
            f"状态为 {error.present} 的工单不能再改变状态，请新建工单。",
        )
    return TransitionRefused(
        detail,
        errors=[FieldError("/status", "transition", detail)],
        members={"current_status": error.present, "allowed": list(error.allowed)},
    )


def _new_message(
    ticket: TicketRow, data: MessageWrite, caller: Principal, *, opening: bool = False
) -> TicketMessageRow:
    """The message's row, and its effects on the ticket's; the caller publishes both. Raises TicketClosed, TicketFull."""
    author = data.author or AuthorWrite(kind="user")
    now = utc_now()
    try:
        progress = rules.add_message(progress_of(ticket), author.kind, data.visibility, now, opening=opening)
    except rules.ClosedToMessages as error:
        raise open_a_new_one() from error
    except rules.TooManyMessages as error:
        raise TicketFull(
            Text(
                f"A ticket has at most {rules.MAX_MESSAGES:,} messages; open a new ticket.",
                f"一个工单最多 {rules.MAX_MESSAGES} 条消息，请新建工单。",
            )
        ) from error
    set_progress(ticket, progress)
    at = progress.last_message_at or now
    return TicketMessageRow(
        id=TicketMessageId.new(),
        created_at=at,
        updated_at=at,
        ticket_id=ticket.id,
        ticket_number=ticket.number,
        contact_id=ticket.contact_id,
        account_id=ticket.account_id,
        body=data.body,
        visibility=data.visibility,
        author_kind=author.kind,
        author_id=author.id or _usual_author(author, ticket, caller),
        attachments=[attachment.model_dump(mode="json") for attachment in data.attachments],
        at=at,
    )


def _usual_author(author: AuthorWrite, ticket: TicketRow, caller: Principal) -> str | None:
    if author.kind == "user":
        return caller.subject
    return ticket.contact_id if author.kind == "contact" else None


async def take_messages_along(session: WriteSession, ticket: TicketRow) -> None:
    """To the customer to whom the ticket belongs by now."""
    for message in await repository.messages_elsewhere(session, ticket):
        before = MESSAGE_EVENTS.snapshot(message)
        message.contact_id, message.account_id = ticket.contact_id, ticket.account_id
        await MESSAGE_EVENTS.updated(session, message, before)
