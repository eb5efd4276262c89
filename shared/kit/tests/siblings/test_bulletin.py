"""What processes tell one another: in order, once, by everybody else, and never silently lost."""

from collections import deque
from contextlib import nullcontext

from crm_kit.siblings.bulletin import Bulletin
from hypothesis import given
from hypothesis import strategies as st

_SIZE = 256
"""Bytes; so that the ring goes round within a few messages."""


def _board(number: int) -> list[Bulletin]:
    region = memoryview(bytearray(_SIZE + 8))
    return [Bulletin(region, nullcontext(), own) for own in range(number)]


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("tell"), st.integers(0, 2), st.binary(min_size=1, max_size=60)),
        st.tuples(st.just("hear"), st.integers(0, 2), st.just(b"")),
    ),
    max_size=60,
)


@given(steps=_STEPS)
def test_each_hears_what_the_others_told_in_order_or_that_something_is_lost(
    steps: list[tuple[str, int, bytes]],
) -> None:
    board = _board(3)
    waiting: list[deque[bytes]] = [deque() for _ in board]
    told_since = [0] * len(board)
    for what, who, message in steps:
        if what == "tell":
            board[who].tell(message)
            for index, queue in enumerate(waiting):
                told_since[index] += len(message) + 8
                if index != who:
                    queue.append(message)
            continue
        assert board[who].is_news == bool(told_since[who])
        heard = list(board[who].hear())
        assert heard == ([b""] if told_since[who] > _SIZE else list(waiting[who]))
        waiting[who].clear()
        told_since[who] = 0
        assert not board[who].is_news


def test_one_that_is_too_long_is_known_to_be_lost() -> None:
    one, other = _board(2)
    one.tell(b"x" * (one.longest + 1))
    one.tell(b"next")
    assert list(other.hear()) == [b"", b"next"]
    assert list(one.hear()) == []
