"""What agreement says among a tenant's own contacts, learned without anybody's having judged a pair. Pure.

Expectation maximisation over three groups (Dempster, Laird and Rubin 1977; Winkler 1988 for linkage), begun and held by
the defaults as if these had been seen in some hundred pairs: where there is little to learn from, or fields that nobody
fills, they stand.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from contacts_svc.features.matching.rules.comparing import Finding
from contacts_svc.features.matching.rules.scoring import likelihoods
from contacts_svc.features.matching.rules.weights import DEFAULTS, LEVELS, Level, Levels, Weights

_TRUSTED_PAIRS: Final = 200
_TRUSTED_CONTACTS: Final = 50
"""What the defaults count for, of one field's levels and of how many matches a contact has."""

_ROUNDS: Final = 15

Counts = Mapping[tuple[str, str], Sequence[float]]
"""By field and level how many matches, and how many related pairs, have it."""


def learn(pairs: Sequence[Sequence[Finding]], contacts: int, total: int) -> Weights:
    """`pairs`: what was found of `contacts` contacts and all those of the tenant's `total` that share a key with them."""
    weights = DEFAULTS
    for _ in range(_ROUNDS):
        counts: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
        matches = related = 0.0
        for found in pairs:
            of_match, of_related = _posteriors(found, weights, total)
            matches += of_match
            related += of_related
            for field, level, _ in found:
                count = counts[field, level]
                count[0] += of_match
                count[1] += of_related
        known = _TRUSTED_CONTACTS + contacts
        weights = Weights(
            _levels(counts),
            (_TRUSTED_CONTACTS * DEFAULTS.matches + matches) / known,
            (_TRUSTED_CONTACTS * DEFAULTS.related + related) / known,
        )
    return weights


def _posteriors(found: Iterable[Finding], weights: Weights, contacts: int) -> tuple[float, float]:
    """The probabilities that it is a match and that it is a related pair."""
    match, related = likelihoods(found, weights, contacts)
    most_likely = max(match, related, 0.0)
    shares = 2.0 ** (match - most_likely), 2.0 ** (related - most_likely), 2.0**-most_likely
    return shares[0] / sum(shares), shares[1] / sum(shares)


def _levels(counts: Counts) -> Levels:
    learned = {}
    for field, levels in LEVELS.items():
        seen = [sum(counts[field, level][group] for level in levels) + _TRUSTED_PAIRS for group in (0, 1)]
        learned[field] = {
            level: Level(
                (_TRUSTED_PAIRS * known.match + counts[field, level][0]) / seen[0],
                (_TRUSTED_PAIRS * known.related + counts[field, level][1]) / seen[1],
            )
            for level, known in levels.items()
        }
    return learned
