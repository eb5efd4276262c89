"""Pure decisions about tickets: which status may follow which, and what a message does to its ticket.

    new ──► open ◄──► pending, on_hold
     └───────┴────────────┴──► solved ──► closed
                    ▲              │
                    └── reopened ──┘

Any ticket may be solved or closed; only a solved one is reopened; a closed one stays closed. No ticket is new again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from crm_contracts.facts import CLOSED_TICKETS
from crm_contracts.tickets import AuthorKind, TicketStatus, Visibility

ALLOWED: Final[Mapping[TicketStatus, tuple[TicketStatus, ...]]] = {
    "new": ("open", "pending", "on_hold", "solved", "closed"),
    "open": ("pending", "on_hold", "solved", "closed"),
    "pending": ("open", "on_hold", "solved", "closed"),
    "on_hold": ("open", "pending", "solved", "closed"),
    "solved": ("open", "closed"),
    "closed": (),
}
"""What each status may become; to stay is always allowed."""

MAX_MESSAGES: Final = 1000
"""Of one ticket: what happens to all of them at once (deletion, another customer) stays one short transaction."""

_WAITING: Final = ("pending", "on_hold", "solved")


class TransitionNotAllowed(ValueError):
    """The status cannot become this one; `allowed` are those that it can become."""

    def __init__(self, present: TicketStatus, wanted: TicketStatus) -> None:
        super().__init__(f"{present} cannot become {wanted}")
        self.present = present
        self.wanted = wanted
        self.allowed = ALLOWED[present]


class ClosedToMessages(ValueError):
    """A closed ticket takes no messages."""


class TooManyMessages(ValueError):
    """The ticket has MAX_MESSAGES."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a ticket stands. `solved_at` is set exactly while it is solved or closed."""

    status: TicketStatus
    solved_at: datetime | None = None
    reopened_count: int = 0
    message_count: int = 0
    last_message_at: datetime | None = None
    first_responded_at: datetime | None = None


def move(progress: Progress, status: TicketStatus, now: datetime) -> Progress:
    """The ticket with another status. Raises TransitionNotAllowed."""
    if status == progress.status:
        return progress
    if status not in ALLOWED[progress.status]:
        raise TransitionNotAllowed(progress.status, status)
    reopened = progress.status == "solved" and status not in CLOSED_TICKETS
    return replace(
        progress,
        status=status,
        solved_at=(progress.solved_at or now) if status in CLOSED_TICKETS else None,
        reopened_count=progress.reopened_count + reopened,
    )


def reopen(progress: Progress, now: datetime) -> Progress:
    """Back to open, if it waits or is solved; as it is, if it is new or open. Raises TransitionNotAllowed if closed."""
    return progress if progress.status == "new" else move(progress, "open", now)


def add_message(
    progress: Progress, author: AuthorKind, visibility: Visibility, now: datetime, *, opening: bool = False
) -> Progress:
    """The ticket with one more message. The `opening` message, with which it is created, answers nothing.

    Raises ClosedToMessages, TooManyMessages.
    """
    if progress.status == "closed":
        raise ClosedToMessages
    if progress.message_count >= MAX_MESSAGES:
        raise TooManyMessages
    public = visibility == "public"
    if public and author == "contact" and progress.status in _WAITING and not opening:
        progress = move(progress, "open", now)
    answers = public and author == "user" and not opening
    # Never before the message before it: a conversation reads in the order in which it was written.
    at = max(now, progress.last_message_at or now)
    return replace(
        progress,
        message_count=progress.message_count + 1,
        last_message_at=at,
        first_responded_at=progress.first_responded_at or (at if answers else None),
    )


def timeline_at(created_at: datetime, solved_at: datetime | None) -> datetime:
    """Where the ticket stands in a timeline: the later of the two."""
    return max(created_at, solved_at or created_at)


def event_action(before: str, after: str) -> str:
    """What the event of a change is called, whichever way the change came."""
    if after == "solved" and before != "solved":
        return "solved"
    if before == "solved" and after not in CLOSED_TICKETS:
        return "reopened"
    return "updated"


def unique(values: Sequence[str]) -> list[str]:
    """In the order of their first occurrence."""
    return list(dict.fromkeys(values))
