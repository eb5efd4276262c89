"""What comes in has precedence over what is made of it."""

import pytest
from gateway.features.inbound_deliveries.worker import Alarm


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("a_second", "rest"), [(10, 0.0), (25, 0.0), (60, 0.02), (200, 0.0667), (100_000, 0.5)])
def test_the_more_come_the_longer_the_worker_rests_after_each(a_second: int, rest: float) -> None:
    clock = Clock()
    alarm = Alarm(clock)
    for _ in range(300):
        clock.now += 1 / a_second
        alarm.ring()
    assert alarm.is_busy == (rest > 0)
    assert alarm.rest_after(0.01) == pytest.approx(rest, rel=0.1)


def test_it_goes_on_at_once_when_no_more_come() -> None:
    clock = Clock()
    alarm = Alarm(clock)
    for _ in range(300):
        clock.now += 0.001
        alarm.ring()
    clock.now += 1.1
    assert alarm.rest_after(0.01) == 0.0
