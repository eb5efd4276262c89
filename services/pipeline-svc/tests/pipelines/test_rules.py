"""Stages in order."""

from hypothesis import given
from hypothesis import strategies as st
from pipeline_svc.features.pipelines.rules import USUAL_STAGES, missing_kinds, orders

given_orders = st.lists(st.none() | st.integers(0, 20), max_size=12)


@given(given_orders)
def test_orders_differ_and_none_is_lowered(wished: list[int | None]) -> None:
    found = orders(wished)
    assert len(set(found)) == len(wished)
    assert all(order >= wish for order, wish in zip(found, wished, strict=True) if wish is not None)


@given(given_orders)
def test_what_was_given_in_order_stays_in_order(wished: list[int | None]) -> None:
    found = orders(wished)
    for left in range(len(wished)):
        for right in range(left + 1, len(wished)):
            first, second = wished[left], wished[right]
            if first is not None and second is not None:
                assert (found[left] < found[right]) == (first <= second)


@given(st.lists(st.integers(0, 50), unique=True, max_size=12))
def test_orders_that_differ_are_kept(wished: list[int]) -> None:
    assert orders(list(wished)) == wished


@given(given_orders)
def test_orders_settle_at_once(wished: list[int | None]) -> None:
    found = orders(wished)
    assert orders(list(found)) == found


def test_a_stage_without_order_comes_after_the_one_before_it() -> None:
    assert orders([None, None, None]) == [0, 1, 2]
    assert orders([0, None, 1, 2]) == [0, 1, 2, 3]


def test_the_usual_stages_are_a_whole_pipeline() -> None:
    assert missing_kinds(stage.kind for stage in USUAL_STAGES) == []
    assert missing_kinds(["open"]) == ["won", "lost"]
