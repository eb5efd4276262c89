"""What is asked of the index: sets of grams, for each way in which the words of a query may be in a customer's texts. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from math import prod
from typing import Final, NamedTuple

from gateway.features.customers.search import grams
from gateway.features.customers.search.fields import PARTS, Part
from gateway.features.customers.search.grams import Seeds
from gateway.features.customers.search.query import Parse, SearchQuery, Word, completed, han_of, parses

_NAMED: Final[tuple[Part, ...]] = ("personal", "open", "company")
"""Where names stand, which are read and misspelt."""
_SLIPPED: Final[tuple[Part, ...]] = ("personal", "open")
_MAX_TOGETHER: Final = 320
_MAX_COMPLETED: Final = 4
"""Of syllables that a beginning may become: with more, the first letters of all are enough."""


class Arm(NamedTuple):
    """Grams of which a customer has all, of these parts of its texts. A number may be in an account's personal part, no name is."""

    parts: tuple[Part, ...]
    grams: tuple[int, ...]
    is_number: bool = False

    @property
    def mask(self) -> int:
        """The parts as bits, by their places in `PARTS`."""
        return sum(1 << PARTS.index(part) for part in self.parts)


class Ways(NamedTuple):
    """To have a word: as it is written or read, and those that take it for something else."""

    plain: frozenset[Arm]
    odd: frozenset[Arm] = frozenset()

    @property
    def all(self) -> frozenset[Arm]:
        return self.plain | self.odd


def _arms(found: Iterable[Arm]) -> frozenset[Arm]:
    return frozenset(arm for arm in found if arm.grams)


def wholes(tenant_id: str, query: SearchQuery) -> Ways:
    """All of the query is all of a text."""
    alone = [words[0].digits for words in query.alternatives if len(words) == 1 and words[0].digits]
    asked: list[tuple[Part, str]] = [*((part, query.whole) for part in PARTS), *(("personal", each) for each in alone)]
    return Ways(
        _arms(
            Arm((part,), (each,))
            for part, text in asked
            for each in grams.whole_grams(grams.seeds(tenant_id, part), text)
        )
    )


def beginnings(tenant_id: str, word: Word) -> Ways:
    """The word begins a text, or a word of one."""
    return Ways(_arms(_by(tenant_id, word, grams.beginning_grams)))


def within(tenant_id: str, word: Word) -> Ways:
    """The word is a part of a text; of two letters those of names alone are known."""
    return Ways(_arms(_by(tenant_id, word, _part_grams)))


def _part_grams(seed: Seeds, text: str) -> list[int]:
    short = len(text) == 2 and not any(map(grams.is_wide, text))
    return grams.pair_grams(seed, text) if short else grams.part_grams(seed, text)


def _by(tenant_id: str, word: Word, reckon: Callable[[Seeds, str], list[int]]) -> Iterator[Arm]:
    for part in PARTS if word.text else ():
        yield Arm((part,), tuple(reckon(grams.seeds(tenant_id, part), word.text)), word.is_number_like)
    if len(word.digits) > 2:
        yield Arm(("personal",), tuple(reckon(grams.seeds(tenant_id, "personal"), word.digits)), True)


def sounding(tenant_id: str, word: Word) -> Ways:
    """A name is read as the word; or sounds like it, or is misspelt for it."""
    odd = [*(arm for part in _NAMED for arm in _alike(tenant_id, part, word)), *_misspelt(tenant_id, word)]
    return Ways(_arms(arm for part in _NAMED for arm in _read(tenant_id, part, word)), _arms(odd))


def _read(tenant_id: str, part: Part, word: Word) -> Iterator[Arm]:
    seed = grams.seeds(tenant_id, part)
    for parse in _parses(word):
        sure = [grams.gram(seed.syllable, each.letters) for each in parse if each.is_whole]
        sure += grams.initials_grams(seed, "".join(each.letters[0] for each in parse))
        last = () if parse[-1].is_whole else completed(parse[-1].letters)
        if last and (len(last) <= _MAX_COMPLETED or len(parse) == 1):
            yield from (Arm((part,), (*sure, grams.gram(seed.syllable, each))) for each in last)
        else:
            yield Arm((part,), tuple(sure))


def _alike(tenant_id: str, part: Part, word: Word) -> Iterator[Arm]:
    seed = grams.seeds(tenant_id, part)
    for parse in _parses(word):
        if all(each.is_whole for each in parse):
            yield Arm((part,), tuple(grams.gram(seed.sound, grams.alike(each.letters)) for each in parse))
    if han := han_of(word.text):
        yield Arm((part,), tuple(grams.gram(seed.syllable, each) for one in han for each in grams.readings(one)[:1]))


def _parses(word: Word) -> tuple[Parse, ...]:
    return parses(word.letters) if len(word.letters) > 1 else ()


def _misspelt(tenant_id: str, word: Word) -> Iterator[Arm]:
    if len(word.text) >= grams.SHORTEST_SLIP - 1 and grams.LATIN_WORDS.fullmatch(word.text):
        most = 2 if len(word.text) >= grams.LONG - 2 else 1
        for part in _SLIPPED:
            seed = grams.seeds(tenant_id, part).slip
            yield from (Arm((part,), (grams.gram(seed, each),)) for each in grams.slips(word.text, most))


def together(words: Sequence[Ways]) -> frozenset[Arm] | None:
    """Where all of some words are, one of them at most oddly; None for more ways than are worth asking for."""
    chosen = [[ways.plain for ways in words]]
    chosen += [[ways.odd if n == odd else ways.plain for n, ways in enumerate(words)] for odd in range(len(words))]
    found: set[Arm] = set()
    for each in chosen:
        for kind in (_of_contact, _of_account):
            ways = [[arm for arm in arms if kind(arm)] for arms in each]
            if prod(map(len, ways)) + len(found) > _MAX_TOGETHER:
                return None
            found.update(map(_of_all, product(*ways)))
    return frozenset(found)


def _of_all(arms: Sequence[Arm]) -> Arm:
    parts = {part for arm in arms for part in arm.parts}
    return Arm(tuple(sorted(parts)), tuple(sorted({gram for arm in arms for gram in arm.grams})))


def _of_contact(arm: Arm) -> bool:
    return arm.parts[0] in ("personal", "company")


def _of_account(arm: Arm) -> bool:
    return arm.parts[0] in ("open", "commercial") or (arm.parts[0] == "personal" and arm.is_number)
