"""OTEL_TRACES_SAMPLER: which traces are recorded."""

import random
from typing import Literal

from crm_kit.context import Sampling

Sampler = Literal[
    "always_on", "always_off", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"
]


class ShareSampling(Sampling):
    """A share of what begins here. `follows`: of what a caller began, that which the caller recorded; else the share too.

    Drawn, not computed from the trace's id: whoever calls chooses that, and could have all of theirs recorded.
    """

    def __init__(self, share: float, *, follows: bool) -> None:
        self._share = share
        self._follows = follows

    def begins(self) -> bool:
        return random.random() < self._share  # noqa: S311  # nobody gains by guessing it

    def goes_on(self, *, sampled: bool) -> bool:
        return sampled if self._follows else self.begins()


def sampling_of(sampler: Sampler, share: float) -> Sampling:
    """`share`: OTEL_TRACES_SAMPLER_ARG, for the one that takes it."""
    if sampler != "parentbased_traceidratio":
        share = 1.0 if sampler.endswith("always_on") else 0.0
    return ShareSampling(share, follows=sampler.startswith("parentbased"))
