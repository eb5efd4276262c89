"""Rests of background work: as long as it has worked, not as long as it has waited."""

import time

from crm_kit.pacing import Pace


def _work(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_who_has_waited_need_not_rest() -> None:
    pace = Pace(round_seconds=0.01, longest=0.1)
    pace.begin()
    time.sleep(0.1)
    assert pace.rest < 0.05


def test_who_has_worked_rests_for_as_long_and_no_longer_than_the_longest() -> None:
    pace = Pace(round_seconds=0.01, longest=0.1)
    pace.begin()
    _work(0.06)
    assert 0.06 <= pace.rest <= 0.1
    _work(0.06)
    assert pace.rest == 0.1


def test_a_short_round_is_followed_by_the_rest_of_its_time() -> None:
    pace = Pace(round_seconds=10.0, longest=0.1)
    pace.begin()
    assert 9.0 < pace.rest <= 10.0
