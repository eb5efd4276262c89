"""What tickets-svc publishes and answers: tickets and their messages."""

from typing import Annotated, Literal

from pydantic import Field

from crm_contracts.ids import AccountId, ContactId, QueueId, TeamId, TicketId, TicketMessageId, UserId
from crm_contracts.sensitivity import COMMERCIAL, OPEN, PRIVATE
from crm_contracts.sharing import Share
from crm_contracts.types import Contract, CustomFields, Entity, Tag, Timestamp, known

TicketStatus = Literal["new", "open", "pending", "on_hold", "solved", "closed"]
TicketPriority = Literal["low", "normal", "high", "urgent"]
TicketChannel = Literal["email", "phone", "web", "chat", "wechat", "sms", "api", "other"]
Visibility = Literal["public", "internal"]
AuthorKind = Literal["contact", "user", "system"]
Sentiment = Literal["positive", "neutral", "negative"]


class Sla(Contract):
    """Deadlines of the service level agreement that applies; all null where none does."""

    first_response_due_at: Timestamp | None
    resolution_due_at: Timestamp | None
    breached: bool


class Author(Contract):
    kind: Annotated[str, known(AuthorKind)]
    id: str | None


class Attachment(Contract):
    """A file kept elsewhere, by reference."""

    name: str
    url: str
    media_type: str | None
    size: Annotated[int | None, Field(description="Bytes")]


class Ticket(Entity):
    id: Annotated[TicketId, OPEN]
    number: Annotated[int, Field(ge=1, description="1, 2, 3 … within the tenant"), OPEN]
    subject: Annotated[str, COMMERCIAL]
    contact_id: Annotated[ContactId | None, OPEN]
    account_id: Annotated[AccountId | None, OPEN]
    channel: Annotated[str, known(TicketChannel), OPEN]
    status: Annotated[str, known(TicketStatus), OPEN]
    priority: Annotated[str, known(TicketPriority), OPEN]
    queue_id: Annotated[QueueId | None, OPEN]
    assignee_id: Annotated[UserId | None, OPEN]
    kind: Annotated[str | None, OPEN]
    tags: Annotated[list[Tag], OPEN]
    sla: Annotated[Sla, OPEN]
    sentiment: Annotated[Annotated[str, known(Sentiment)] | None, OPEN]
    message_count: Annotated[int, Field(ge=0), OPEN]
    last_message_at: Annotated[Timestamp | None, OPEN]
    first_responded_at: Annotated[Timestamp | None, Field(description="First public answer by a user"), OPEN]
    solved_at: Annotated[Timestamp | None, OPEN]
    reopened_count: Annotated[int, Field(ge=0), OPEN]
    custom: Annotated[CustomFields, PRIVATE]
    team_id: Annotated[TeamId | None, OPEN] = None
    shares: Annotated[list[Share], OPEN] = []


class TicketMessage(Entity):
    id: Annotated[TicketMessageId, OPEN]
    ticket_id: Annotated[TicketId, OPEN]
    ticket_number: Annotated[int, OPEN]
    contact_id: Annotated[
        ContactId | None, Field(description="The ticket's contact, so that a message finds its customer"), OPEN
    ]
    account_id: Annotated[AccountId | None, OPEN]
    body: Annotated[str, COMMERCIAL]
    visibility: Annotated[Visibility, OPEN]
    author: Annotated[Author, OPEN]
    attachments: Annotated[list[Attachment], COMMERCIAL]
    at: Annotated[Timestamp, OPEN]
