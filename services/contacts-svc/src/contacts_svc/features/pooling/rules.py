"""What becomes of a contact that is of a pool, and when. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from crm_contracts.ids import PoolId, UserId
from crm_contracts.pools import PoolMove, PoolMoveKind

MAX_HISTORY: Final = 30
"""Moves that a contact shows; the newest."""

RETURN: Final = "pool_return"
"""The timer of a contact that somebody holds: it comes due when the contact may have to go back."""

BATCH: Final = 200
"""Contacts that go back in one transaction, besides the one that it began with."""

A_DAY: Final = timedelta(days=1)
STEP: Final = timedelta(hours=1)
"""Activity puts the return off when it is by so much at least: not each of a hundred messages is to be a new version."""


class Pooled(Protocol):
    """A row that may be of a pool."""

    owner_id: str | None
    team_id: str | None
    pool_id: str | None
    returns_at: datetime | None
    pool_history: list[dict[str, Any]]


def return_time(days: int | None, last: datetime) -> datetime | None:
    """When a contact goes back with which something was done last at that time; None where none goes back by itself."""
    return last + timedelta(days=days) if days is not None else None


def put_off(present: datetime | None, days: int | None, last: datetime) -> datetime | None:
    """The time of return after an activity: later by a STEP at least, or what it was."""
    later = return_time(days, last)
    return later if present is not None and later is not None and later - present >= STEP else present


def note(
    row: Pooled, kind: PoolMoveKind, user_id: str | None, reason: str | None, now: datetime, actor_id: str
) -> None:
    """Into the history. Each move is later than the one before, whatever the clocks say."""
    history = [PoolMove.model_validate(each) for each in row.pool_history]
    assert row.pool_id is not None, "of a pool"
    move = PoolMove(
        kind=kind,
        pool_id=PoolId(row.pool_id),
        user_id=UserId(user_id) if user_id is not None else None,
        reason=reason,
        at=max(now, history[-1].at + timedelta(microseconds=1)) if history else now,
        actor_id=actor_id,
    )
    row.pool_history = [each.model_dump(mode="json") for each in [*history, move][-MAX_HISTORY:]]


def claimable_at(history: Iterable[PoolMove], pool_id: str, user_id: str, days: int) -> datetime | None:
    """From when on a user may claim a contact that they once had; None where nothing holds them back."""
    lost = [
        move.at
        for move in history
        if (move.pool_id, move.user_id) == (pool_id, user_id) and move.kind in ("released", "returned")
    ]
    return max(lost) + timedelta(days=days) if lost and days else None


def claiming_team(pool_teams: Sequence[str], own_teams: Sequence[str]) -> str | None:
    """Whose a contact is that a user claims who is in those teams: the first of the pool's, or of their own.

    Raises LookupError where the pool is for other teams.
    """
    if not pool_teams:
        return own_teams[0] if own_teams else None
    for team_id in pool_teams:
        if team_id in own_teams:
            return team_id
    raise LookupError("the pool is for other teams")
