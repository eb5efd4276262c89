"""What the verdict takes for growth, and what it does not."""

import math
import random
from collections.abc import Callable

import pytest
from crm_testkit.soak.verdict import Verdict, judge, theil_sen
from hypothesis import given
from hypothesis import strategies as st

_BOUND = 8.0


def _judged(size: Callable[[float], float], *, noise: float = 1.5, seed: int = 1) -> Verdict:
    """An hour's samples every five seconds; `size` of the share of the hour that has passed."""
    dice = random.Random(seed)
    samples = [(at * 5.0, size(at / 720) + dice.uniform(-noise, noise)) for at in range(720)]
    dice.shuffle(samples)
    return judge(samples, _BOUND)


def _warm_up(share: float) -> float:
    return 95 + 15 * (1 - math.exp(-share * 12))


def _step_at(when: float) -> Callable[[float], float]:
    return lambda share: 95 + (20 if share > when else 0)


def _saw(share: float) -> float:
    return 95 + 10 * (share * 24 % 1)


@pytest.mark.parametrize("size", [lambda _: 95.0, _warm_up, _saw, lambda share: 95 + 4 * share])
def test_what_comes_to_rest_does_not_grow(size: Callable[[float], float]) -> None:
    assert not _judged(size).grows


@pytest.mark.parametrize("size", [lambda share: 95 + 12 * share, lambda share: _warm_up(share) + 12 * share])
def test_a_leak_below_its_noise_grows(size: Callable[[float], float]) -> None:
    verdict = _judged(size, noise=6)
    assert verdict.grows
    assert verdict.slope == pytest.approx(12, abs=3)
    assert verdict.growth == pytest.approx(6, abs=1.5)


def test_a_single_step_is_no_trend_and_spikes_are_none() -> None:
    before = _judged(_step_at(0.45))
    assert before.growth > _BOUND / 2, "the medians alone would be taken in"
    assert not before.grows
    assert not _judged(_step_at(0.95)).grows
    assert not _judged(lambda share: 95 + (200 if int(share * 720) % 10 == 0 else 0)).grows


def test_what_shrinks_does_not_grow() -> None:
    assert not _judged(lambda share: 195 - 100 * share).grows


@given(slope=st.floats(-5, 5), outliers=st.lists(st.tuples(st.integers(0, 99), st.floats(-1e6, 1e6)), max_size=20))
def test_a_fifth_of_the_samples_may_be_anything(slope: float, outliers: list[tuple[int, float]]) -> None:
    line = [(float(at), 100 + slope * at) for at in range(100)]
    for place, size in outliers:
        line[place] = (float(place), size)
    found = theil_sen(line)
    if not outliers:
        assert found == pytest.approx(slope, abs=1e-6)
    # Of the pairs, at least 0.64 lie on the line: its slope is their median.
    assert found == pytest.approx(slope, abs=1e-6)


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="eight"):
        judge([(float(at), 1.0) for at in range(7)], _BOUND)
