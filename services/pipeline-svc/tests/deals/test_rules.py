"""Moving through stages."""

import itertools
from datetime import UTC, datetime, timedelta

from crm_contracts.ids import StageId
from crm_contracts.pipeline import Stage, StageEntry, StageKind
from hypothesis import given
from hypothesis import strategies as st
from pipeline_svc.features.deals import rules

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
KINDS: list[StageKind] = ["open", "open", "won", "lost"]
STAGES = [
    Stage(
        id=StageId.new(), name=f"S{order}", probability=0, order=order, kind=kind, rotting_days=None, required_fields=[]
    )
    for order, kind in enumerate(KINDS)
]
moves = st.lists(st.tuples(st.sampled_from(STAGES), st.integers(-60, 60)), min_size=1, max_size=130)


def walk(moves: list[tuple[Stage, int]]) -> tuple[StageEntry, ...]:
    history: tuple[StageEntry, ...] = ()
    for stage, seconds in moves:
        at = rules.entry_time(history, NOON + timedelta(seconds=seconds))
        history = rules.enter_stage(history, stage, at, "user")
    return history


@given(moves)
def test_a_history_is_without_gap_and_never_runs_backwards(moves: list[tuple[Stage, int]]) -> None:
    history = walk(moves)
    assert [entry.stage_id for entry in history] == [stage.id for stage, _ in moves][-rules.MAX_HISTORY :]
    for entry, after in itertools.pairwise(history):
        assert entry.left_at == after.entered_at >= entry.entered_at
    assert history[-1].left_at is None


@given(moves)
def test_a_deal_is_closed_exactly_while_it_is_won_or_lost(moves: list[tuple[Stage, int]]) -> None:
    closed_at: datetime | None = None
    kind: StageKind | None = None
    for count in range(1, len(moves) + 1):
        entry = walk(moves[:count])[-1]
        before = closed_at
        closed_at = rules.closing_time(kind, closed_at, entry.kind, entry.entered_at)
        assert (closed_at is None) == (entry.kind == "open")
        if entry.kind != "open":
            assert closed_at == (before if kind == entry.kind else entry.entered_at)
        kind = entry.kind


def test_a_deal_starts_in_the_first_open_stage() -> None:
    won_first = [STAGES[2].model_copy(update={"order": -1}), STAGES[1], STAGES[0]]
    assert rules.first_stage(won_first) == STAGES[0]


def test_empty_is_missing_and_zero_is_not() -> None:
    values: dict[str, object] = {"a": None, "b": "", "c": [], "d": 0, "e": False, "f": "x"}
    assert rules.missing_fields(values, values.get) == ["a", "b", "c"]
