"""Pure decisions about deals: moving through stages."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final

from crm_contracts.pipeline import Stage, StageEntry, StageKind

MAX_HISTORY: Final = 100
"""Stays in stages that a deal shows; the newest."""


def entry_time(history: Sequence[StageEntry], now: datetime) -> datetime:
    """When the next stage is entered: now, but never before the present one was (clocks of two machines differ)."""
    return max(now, history[-1].entered_at) if history else now


def enter_stage(
    history: Sequence[StageEntry], stage: Stage, at: datetime, actor_id: str | None
) -> tuple[StageEntry, ...]:
    """The history after a deal came into `stage`: the stay before ends at that moment."""
    left = [entry if entry.left_at else entry.model_copy(update={"left_at": at}) for entry in history]
    entered = StageEntry(
        stage_id=stage.id, stage_name=stage.name, kind=stage.kind, entered_at=at, left_at=None, actor_id=actor_id
    )
    return (*left, entered)[-MAX_HISTORY:]


def closing_time(
    before: StageKind | None, closed_at: datetime | None, kind: StageKind, at: datetime
) -> datetime | None:
    """When a deal that comes into a stage of `kind` was closed; None while it is open.

    From one won stage to another it stays closed as it was.
    """
    if kind == "open":
        return None
    return closed_at if kind == before and closed_at is not None else at


def first_stage(stages: Iterable[Stage]) -> Stage:
    """Where a deal starts. A pipeline has an open stage."""
    return min((stage for stage in stages if stage.kind == "open"), key=lambda stage: stage.order)


def missing_fields(required: Iterable[str], value_of: Callable[[str], object]) -> list[str]:
    """Which of the required fields have no value. An empty text or list is none; 0 and false are values."""
    return [field for field in required if value_of(field) in (None, "", [])]
