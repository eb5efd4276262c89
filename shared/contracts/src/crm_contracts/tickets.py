"""What tickets-svc publishes and answers: tickets and their messages."""

from typing import Annotated, Literal

from pydantic import Field

from crm_contracts.ids import AccountId, ContactId, QueueId, TicketId, TicketMessageId, UserId
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
    id: TicketId
    number: Annotated[int, Field(ge=1, description="1, 2, 3 … within the tenant")]
    subject: str
    contact_id: ContactId | None
    account_id: AccountId | None
    channel: Annotated[str, known(TicketChannel)]
    status: Annotated[str, known(TicketStatus)]
    priority: Annotated[str, known(TicketPriority)]
    queue_id: QueueId | None
    assignee_id: UserId | None
    kind: str | None
    tags: list[Tag]
    sla: Sla
    sentiment: Annotated[str, known(Sentiment)] | None
    message_count: Annotated[int, Field(ge=0)]
    last_message_at: Timestamp | None
    first_responded_at: Annotated[Timestamp | None, Field(description="First public answer by a user")]
    solved_at: Timestamp | None
    reopened_count: Annotated[int, Field(ge=0)]
    custom: CustomFields


class TicketMessage(Entity):
    id: TicketMessageId
    ticket_id: TicketId
    ticket_number: int
    contact_id: Annotated[
        ContactId | None, Field(description="The ticket's contact, so that a message finds its customer")
    ]
    account_id: AccountId | None
    body: str
    visibility: Visibility
    author: Author
    attachments: list[Attachment]
    at: Timestamp
