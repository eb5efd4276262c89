"""When which records are due, and from when on a rule counts. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from crm_contracts.retention import CountedFrom, RetainedResource, RetentionAction

MAX_RULES: Final = 100

NOTICE: Final = timedelta(days=7)
"""So long a rule that is made, or takes more than it did, does nothing by default."""

LEAST_NOTICE: Final = timedelta(days=1)
_SLACK: Final = timedelta(minutes=5)
"""Clocks differ, and a request takes its time: who asks for a day from now means that."""

EVERY: Final = timedelta(days=1)
"""From the beginning of a run to that of the next."""

COUNTED: Final[Mapping[RetainedResource, tuple[CountedFrom, ...]]] = {
    "contacts": ("created_at", "updated_at", "last_activity_at", "archived_at"),
    "activities": ("created_at", "at"),
}
ACTIONS: Final[Mapping[RetainedResource, tuple[RetentionAction, ...]]] = {
    "contacts": ("erase", "archive", "delete"),
    "activities": ("erase", "delete"),
}
NEEDS: Final[Mapping[RetentionAction, str]] = {"erase": "delete", "archive": "update", "delete": "delete"}
"""What whoever makes a rule must be allowed to do with each record."""

SLICE: Final = 500
"""Records that are looked at in one transaction, whether they are due or not."""

PAGE: Final[Mapping[RetentionAction, int]] = {"erase": 10, "archive": 100, "delete": 100}
"""Records of one transaction: the digests of ten persons' addresses take about a second."""

MOST_OPEN: Final = 200
"""Erasures of a tenant that are under way: others wait until their receipts have come."""

MOST_FAILURES: Final = 20


class Asked(Protocol):
    """What decides which records a rule takes, and when."""

    @property
    def resource(self) -> str: ...
    @property
    def where(self) -> Mapping[str, Any] | None: ...
    @property
    def counted_from(self) -> str: ...
    @property
    def after_days(self) -> int: ...
    @property
    def action(self) -> str: ...
    @property
    def active(self) -> bool: ...
    @property
    def effective_at(self) -> datetime | None: ...


class TooSoon(ValueError):
    """`earliest`: from when on the rule may count."""

    def __init__(self, earliest: datetime) -> None:
        super().__init__(earliest.isoformat())
        self.earliest = earliest


def takes_more(before: Asked, after: Asked) -> bool:
    """Whether a changed rule may take a record that it would not have taken, or take it sooner, or otherwise."""
    if not after.active:
        return False
    if not before.active:
        return True
    same = all(getattr(before, name) == getattr(after, name) for name in ("resource", "counted_from", "action"))
    narrowed = before.where == after.where or before.where is None
    return not (same and narrowed and after.after_days >= before.after_days)


def effective_from(before: Asked | None, after: Asked, now: datetime) -> datetime:
    """From when on a rule counts that is written. `before`: what it was; None for a new one.

    Raises TooSoon where it would take more than it did with less notice than there has to be.
    """
    asked = after.effective_at
    kept = before.effective_at if before is not None else None
    more = before is None or takes_more(before, after)
    if asked is None or (more and asked == kept):  # a patch that does not send it
        noticed = now + NOTICE
        if kept is None:
            return noticed
        return max(noticed, kept) if more else kept
    sooner = kept is None or asked < kept
    if asked != kept and (more or sooner) and asked < now + LEAST_NOTICE - _SLACK:
        raise TooSoon(now + LEAST_NOTICE)
    return asked


def is_carried_on(before: Asked, after: Asked) -> bool:
    """Whether a run that has begun may go on: nothing has changed of what it does."""
    names = ("resource", "where", "counted_from", "after_days", "action", "active", "effective_at")
    return all(getattr(before, name) == getattr(after, name) for name in names)


def cutoff(now: datetime, after_days: int) -> datetime:
    """What was last before, or at, is due."""
    return now - timedelta(days=after_days)


def due_at(since: datetime, after_days: int) -> datetime:
    return since + timedelta(days=after_days)


def condition_for(resource: RetainedResource, action: RetentionAction, where: Mapping[str, Any] | None) -> Any:
    """The condition of the records that a rule takes: what is archived is stored, too, and only need not be archived again."""
    if resource != "contacts":
        return where
    archived = {"field": "archived", "op": "eq", "value": True}
    left = {"not": archived} if action == "archive" else {"any": [archived, {"not": archived}]}
    return {"all": [where, left]} if where is not None else left
