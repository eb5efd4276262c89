"""Whether a process grows: a robust slope, and medians of quarters compared. Pure."""

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

Sample = tuple[float, float]
"""Seconds since the start, and megabytes."""

_HOUR: Final = 3600.0
_MOST: Final = 400
"""Samples that a slope is made of: its cost grows with their square."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`slope`: MB an hour over the second half. `growth`: MB from the median of the second quarter to the last one's.

    `first`, `last` and `peak` are MB.
    """

    slope: float
    growth: float
    first: float
    last: float
    peak: float
    grows: bool


def judge(samples: Sequence[Sample], bound: float) -> Verdict:
    """`bound`: MB an hour that a process may gain. It grows only where both measures say so.

    The slope alone takes a late step for a trend, the medians alone a warm-up that has ended. Needs eight samples.
    """
    if len(samples) < 8:
        raise ValueError("a verdict needs eight samples")
    ordered = sorted(samples)
    began, ended = ordered[0][0], ordered[-1][0]
    length = ended - began
    quarters: list[list[Sample]] = [[], [], [], []]
    for sample in ordered:
        quarters[min(3, int((sample[0] - began) / length * 4))].append(sample)
    slope = theil_sen([*quarters[2], *quarters[3]]) * _HOUR
    growth = _median(quarters[3]) - _median(quarters[1])
    # Between the middles of the two quarters lies half the time.
    allowed = bound * length / 2 / _HOUR
    sizes = [size for _, size in ordered]
    return Verdict(slope, growth, sizes[0], sizes[-1], max(sizes), slope > bound and growth > allowed)


def theil_sen(samples: Sequence[Sample]) -> float:
    """The median of the slopes between all pairs, a second: up to 29 % of the samples may be anything."""
    chosen = list(samples)
    if len(chosen) > _MOST:
        chosen = sorted(random.Random(0).sample(chosen, _MOST))
    slopes = [
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for place, earlier in enumerate(chosen)
        for later in chosen[place + 1 :]
        if later[0] > earlier[0]
    ]
    return statistics.median(slopes) if slopes else 0.0


def _median(samples: Sequence[Sample]) -> float:
    return statistics.median(size for _, size in samples) if samples else 0.0
