"""The tables of tickets and their messages, and the counter that numbers tickets."""

from dataclasses import fields
from datetime import datetime
from typing import Any, cast

from crm_contracts.tickets import TicketStatus
from crm_kit.db.models import CodePointText, EntityRow, Moment, TenantRow, json_column, text_list_column
from crm_kit.rights import shares_column
from sqlalchemy import Index, Text
from sqlmodel import Field

from tickets_svc.base import Base
from tickets_svc.features.tickets import rules


class TicketCounterRow(TenantRow, Base, table=True):
    """One row a tenant. Its lock makes numbers without gaps: the next one waits until this one is committed or not."""

    __tablename__ = "ticket_counter"

    last_number: int = Field(nullable=False)


class TicketRow(EntityRow, Base, table=True):
    __tablename__ = "ticket"
    __table_args__ = (
        Index("ticket_number", "tenant_id", "number", unique=True),
        Index("ticket_created", "tenant_id", "created_at", "id"),
        Index("ticket_updated", "tenant_id", "updated_at", "id"),
        Index("ticket_last_message", "tenant_id", "last_message_at", "id"),
        Index("ticket_contact", "tenant_id", "contact_id", "timeline_at", "id"),
        Index("ticket_account", "tenant_id", "account_id", "timeline_at", "id"),
        Index("ticket_status", "tenant_id", "status", "created_at", "id"),
        Index("ticket_assignee", "tenant_id", "assignee_id", "status"),
        Index("ticket_team", "tenant_id", "team_id", "id"),
        Index("ticket_queue", "tenant_id", "queue_id", "status"),
        Index("ticket_tags", "tags", postgresql_using="gin"),
    )

    number: int = Field(nullable=False)
    subject: str = Field(sa_type=CodePointText, nullable=False)
    contact_id: str | None = Field(default=None, sa_type=CodePointText)
    account_id: str | None = Field(default=None, sa_type=CodePointText)
    channel: str = Field(default="other", sa_type=Text, nullable=False)
    status: str = Field(default="new", sa_type=Text, nullable=False)
    priority: str = Field(default="normal", sa_type=Text, nullable=False)
    queue_id: str | None = Field(default=None, sa_type=CodePointText)
    assignee_id: str | None = Field(default=None, sa_type=CodePointText)
    kind: str | None = Field(default=None, sa_type=CodePointText)
    tags: list[str] = text_list_column()
    message_count: int = Field(default=0, nullable=False)
    last_message_at: datetime | None = Field(default=None, sa_type=Moment)
    first_responded_at: datetime | None = Field(default=None, sa_type=Moment)
    solved_at: datetime | None = Field(default=None, sa_type=Moment)
    reopened_count: int = Field(default=0, nullable=False)
    timeline_at: datetime = Field(sa_type=Moment, nullable=False)
    """The later of `created_at` and `solved_at`, by which the customer view finds the newest."""
    custom: dict[str, Any] = json_column(dict)
    team_id: str | None = Field(default=None, sa_type=CodePointText)
    shares: list[dict[str, Any]] = shares_column()


class TicketMessageRow(EntityRow, Base, table=True):
    """Only the copies of the ticket's customer ever change."""

    __tablename__ = "ticket_message"
    __table_args__ = (
        Index("ticket_message_ticket", "tenant_id", "ticket_id", "at", "id"),
        Index("ticket_message_contact", "tenant_id", "contact_id", "at", "id"),
        Index("ticket_message_account", "tenant_id", "account_id", "at", "id"),
    )

    ticket_id: str = Field(sa_type=CodePointText, nullable=False)
    ticket_number: int = Field(nullable=False)
    contact_id: str | None = Field(default=None, sa_type=CodePointText)
    account_id: str | None = Field(default=None, sa_type=CodePointText)
    body: str = Field(sa_type=Text, nullable=False)
    visibility: str = Field(sa_type=Text, nullable=False)
    author_kind: str = Field(sa_type=Text, nullable=False)
    author_id: str | None = Field(default=None, sa_type=CodePointText)
    attachments: list[dict[str, Any]] = json_column(list)
    at: datetime = Field(sa_type=Moment, nullable=False)


def progress_of(row: TicketRow) -> rules.Progress:
    return rules.Progress(
        status=cast(TicketStatus, row.status),
        solved_at=row.solved_at,
        reopened_count=row.reopened_count,
        message_count=row.message_count,
        last_message_at=row.last_message_at,
        first_responded_at=row.first_responded_at,
    )


def set_progress(row: TicketRow, progress: rules.Progress) -> None:
    for field in fields(progress):
        setattr(row, field.name, getattr(progress, field.name))
    row.timeline_at = rules.timeline_at(row.created_at, row.solved_at)
