"""How late a consumer is, beside a naive reckoning that knows when each record came."""

from crm_kit.bus.port import Lag, TopicPartition
from crm_kit.inbox.lateness import Lateness
from hypothesis import given
from hypothesis import strategies as st

TP, OTHER = TopicPartition("toys", 0), TopicPartition("toys", 1)
STEPS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.floats(0.1, 10)), max_size=60)


@given(STEPS)
def test_it_is_the_age_of_the_oldest_unread_record_but_for_the_time_between_two_looks(
    steps: list[tuple[int, int, float]],
) -> None:
    lateness, now, position, longest = Lateness(), 0.0, 0, 0.0
    came: list[float] = []
    for published, read, seconds in steps:
        came += [now] * published  # right behind the look before
        position = min(len(came), position + read)
        now += seconds
        longest = max(longest, seconds)
        told = lateness.seconds({TP: Lag(len(came), position), OTHER: Lag(7, 7)}, now)
        truly = now - came[position] if position < len(came) else 0.0
        assert truly - longest - 1e-6 <= told <= truly + 1e-6


def test_a_consumer_that_stands_still_is_later_and_later_however_much_comes() -> None:
    lateness = Lateness()
    told = [lateness.seconds({TP: Lag(10 + look, 3)}, look * 5.0) for look in range(3000)]
    assert told == [look * 5.0 for look in range(3000)]
    assert lateness.seconds({TP: Lag(3010, 3010)}, 15_000.0) == 0


def test_another_log_is_counted_from_when_it_was_first_seen() -> None:
    lateness = Lateness()
    lateness.seconds({TP: Lag(100, 90)}, 0.0)
    assert lateness.seconds({TP: Lag(5, 0)}, 50.0) == 0
    assert lateness.seconds({TP: Lag(5, 0)}, 60.0) == 10
