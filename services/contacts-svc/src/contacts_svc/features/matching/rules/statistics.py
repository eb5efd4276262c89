"""How usual names are, from a tenant's own contacts, and from what is known of the world where these are few. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Self

from contacts_svc.features.matching.rules.profile import Profile
from contacts_svc.features.matching.rules.weights import DEFAULTS, Weights

# Shares of the most usual surnames in China, 2020 (Ministry of Public Security), by their pinyin, homophones together.
_SURNAMES: Final[Mapping[str, float]] = {
    "wang": 0.075, "li": 0.077, "zhang": 0.070, "liu": 0.055, "chen": 0.047, "yang": 0.032, "huang": 0.023,
    "zhao": 0.021, "wu": 0.022, "zhou": 0.020, "xu": 0.028, "sun": 0.014, "ma": 0.013, "zhu": 0.013, "hu": 0.013,
    "guo": 0.012, "he": 0.014, "lin": 0.012, "gao": 0.010, "luo": 0.010,
}  # fmt: skip

_LATIN_WORD: Final = 0.001
_HAN_GIVEN: Final = 0.002
"""Shares of a word of which nothing is known; a given name of China is told in pinyin, where many fall together."""

_PLACE: Final = 0.02
"""Of contacts those in one place of which nothing is known: a town, or a postal code."""

_USUAL: Final = 0.002
_USUAL_COUNT: Final = 4
"""A word with this share, and that many contacts, is a name and no slip of the pen."""

_SMALLEST: Final = 1_000
"""Contacts that a tenant is taken to have at least."""

_TRUSTED: Final = 50
"""Contacts whose testimony equals that of what is known beforehand."""

_MOST_WORDS: Final = 5_000
"""That are kept: the rest are rare, and how rare makes little difference."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of one tenant: `size` contacts, `words` how many have each word of a name, `places` how many are in each town, district,
    region or postal code.

    `shared`: how many contacts have a value, by its match key, of those values that were counted. `weights`: as learned.
    """

    size: int = 0
    words: Mapping[str, int] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict)
    shared: Mapping[str, int] = field(default_factory=dict)
    weights: Weights = DEFAULTS

    @classmethod
    def of(cls, profiles: Iterable[Profile], shared: Mapping[str, int] | None = None) -> Self:
        words, places, size = Counter(), Counter(), 0
        for profile in profiles:
            size += 1
            words.add(profile.name.words if profile.name is not None else ())
            if profile.address is not None:
                places.add({*profile.address.places, profile.address.postal_code} - {""})
        return cls(size, words.most_usual(), places.most_usual(), shared or {})

    def scaled(self, size: int) -> Self:
        """From those of a sample those of all."""
        by = size / max(self.size, 1)
        words, places = (
            {each: round(count * by) for each, count in counts.items()} for counts in (self.words, self.places)
        )
        return replace(self, size=size, words=words, places=places)

    @property
    def counted_as(self) -> int:
        return max(self.size, _SMALLEST)

    def share(self, word: str, *, in_han: bool) -> float:
        """Of all names those that hold the word."""
        known = _SURNAMES.get(word, _HAN_GIVEN if in_han else _LATIN_WORD)
        return (self.words.get(word, 0) + known * _TRUSTED) / (self.size + _TRUSTED)

    def is_usual(self, word: str) -> bool:
        count = self.words.get(word, 0)
        return count >= _USUAL_COUNT and count >= _USUAL * self.size

    def place_share(self, place: str) -> float:
        """Of all contacts those in a place."""
        return (self.places.get(place, 0) + _PLACE * _TRUSTED) / (self.size + _TRUSTED)


class Counter:
    """Counts words in bounded memory: where they are too many, those that came least are forgotten."""

    def __init__(self, capacity: int = 50 * _MOST_WORDS) -> None:
        self._capacity = capacity
        self._counts: dict[str, int] = {}
        self._floor = 0

    def add(self, words: Iterable[str]) -> None:
        for word in words:
            self._counts[word] = self._counts.get(word, self._floor) + 1
        while len(self._counts) > self._capacity:
            self._floor += 1
            self._counts = {word: count for word, count in self._counts.items() if count > self._floor}

    def most_usual(self) -> dict[str, int]:
        usual = sorted(self._counts.items(), key=lambda each: (-each[1], each[0]))[:_MOST_WORDS]
        return dict(usual)
