"""Whether two contacts are one person: a probability, and what each field had to do with it. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import log2
from typing import Final, NamedTuple

from contacts_svc.features.matching.rules.comparing import Finding, findings
from contacts_svc.features.matching.rules.profile import Profile
from contacts_svc.features.matching.rules.statistics import Statistics
from contacts_svc.features.matching.rules.weights import Weights

REPORTED_FROM: Final = 0.5
MERGED_FROM: Final = 0.99
"""Scores from which a pair is reported, and from which it may be merged without asking."""

_ONES_OWN: Final = frozenset({"email", "birthday", "wechat", "external_ids"})

_TOLD_FROM: Final = 1.0
"""Bits."""

_MAX_BITS: Final = 60.0
"""Beyond, a probability is 0 or 1 to the last digit."""


class Reason(NamedTuple):
    """`weight`: bits by which the field speaks for one person, below zero against."""

    field: str
    level: str
    weight: float


@dataclass(frozen=True, slots=True)
class Assessment:
    """`contradictions`: the fields that say that these are two persons, whatever else agrees."""

    score: float
    why: tuple[Reason, ...]
    contradictions: tuple[str, ...]

    @property
    def may_merge(self) -> bool:
        """Without asking anybody: relatives of one name share house and telephone, so one thing must agree that is one's own."""
        own = any(reason.level == "same" and reason.field in _ONES_OWN for reason in self.why)
        return own and self.score >= MERGED_FROM and not self.contradictions


def assess(one: Profile, other: Profile, statistics: Statistics) -> Assessment:
    """The same whichever comes first."""
    found = list(findings(one, other, statistics))
    match, related = likelihoods(found, statistics.weights, statistics.counted_as)
    against = _of_either(related)
    why = [
        Reason(field, level, log2(statistics.weights.of(field, level).match / chance)) for field, level, chance in found
    ]
    if against > _TOLD_FROM:
        why.append(Reason("relation", "likely", -against))
    return Assessment(probability(match - against), tuple(why), tuple(_contradictions(found)))


def probability(bits: float) -> float:
    """From the logarithm of odds."""
    bounded = max(-_MAX_BITS, min(bits, _MAX_BITS))
    return float(1 / (1 + 2.0**-bounded))


def _of_either(related: float) -> float:
    """In bits, how likely chance and being related make it together; chance alone stands for 0."""
    return related if related > _MAX_BITS else log2(1 + 2.0**related)


def likelihoods(found: Iterable[Finding], weights: Weights, contacts: int) -> tuple[float, float]:
    """In bits, against any two of so many contacts: of one person's, and of relatives' or colleagues'."""
    match, related = log2(weights.matches / contacts), log2(weights.related / contacts)
    for field, level, chance in found:
        of_match, of_related = weights.of(field, level)
        by_chance = log2(chance)
        match += log2(of_match) - by_chance
        related += log2(of_related) - by_chance
    return match, related


def _contradictions(found: Iterable[Finding]) -> Iterator[str]:
    for field, level, _ in found:
        if level == "contradicted" or (level == "different" and field in ("birthday", "external_ids", "wechat")):
            yield field
