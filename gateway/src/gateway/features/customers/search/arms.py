"""What is asked of the index: sets of grams, for each way in which the words of a query may be in a customer's texts. Pure."""

from collections.abc import Collection, Iterator, Sequence
from itertools import product
from typing import Final

from gateway.features.customers.search import grams
from gateway.features.customers.search.fields import PARTS, Part
from gateway.features.customers.search.query import SearchQuery, Word, completed, han_of, parses

_NAMED: Final[tuple[Part, ...]] = ("personal", "open", "company")
"""Where names stand, which are read and misspelt."""
_SLIPPED: Final[tuple[Part, ...]] = ("personal", "open")
_MAX_TOGETHER: Final = 96
_MAX_COMPLETED: Final = 4
"""Of syllables that a beginning may become: with more, the first letters of all are enough."""

Arm = tuple[int, ...]
"""Grams of which a customer has all."""


def wholes(tenant_id: str, query: SearchQuery) -> set[Arm]:
    """All of the query is all of a text."""
    found = {(each,) for part in PARTS for each in grams.whole_grams(grams.seeds(tenant_id, part), query.whole)}
    alone = [words[0].digits for words in query.alternatives if len(words) == 1 and words[0].digits]
    seed = grams.seeds(tenant_id, "personal")
    return found | {(each,) for digits in alone for each in grams.whole_grams(seed, digits)}


def beginnings(tenant_id: str, word: Word) -> set[Arm]:
    """The word begins a text, or a word of one."""
    found = {tuple(grams.beginning_grams(grams.seeds(tenant_id, part), word.text)) for part in PARTS if word.text}
    if word.digits:
        found.add(tuple(grams.beginning_grams(grams.seeds(tenant_id, "personal"), word.digits)))
    return found - {()}


def within(tenant_id: str, word: Word) -> set[Arm]:
    """The word is a part of a text; of two letters those of names alone are known."""
    found: set[Arm] = set()
    for part in PARTS if word.text else ():
        seed = grams.seeds(tenant_id, part)
        short = len(word.text) == 2 and word.is_short
        found.add(tuple(grams.pair_grams(seed, word.text) if short else grams.part_grams(seed, word.text)))
    if len(word.digits) > 2:
        found.add(tuple(grams.part_grams(grams.seeds(tenant_id, "personal"), word.digits)))
    return found - {()}


def sounding(tenant_id: str, word: Word) -> set[Arm]:
    """A name is read as the word, or sounds like it, or is misspelt for it."""
    return {*(arm for part in _NAMED for arm in _read(tenant_id, part, word)), *_misspelt(tenant_id, word)} - {()}


def _read(tenant_id: str, part: Part, word: Word) -> Iterator[Arm]:
    seed = grams.seeds(tenant_id, part)
    for parse in parses(word.letters) if len(word.letters) > 1 else ():
        whole = [each.letters for each in parse if each.is_whole]
        sure = [grams.gram(seed.syllable, each) for each in whole]
        sure += grams.initials_grams(seed, "".join(each.letters[0] for each in parse))
        last = () if parse[-1].is_whole else completed(parse[-1].letters)
        if last and (len(last) <= _MAX_COMPLETED or len(parse) == 1):
            yield from ((*sure, grams.gram(seed.syllable, each)) for each in last)
        else:
            yield tuple(sure)
        if len(whole) == len(parse):
            yield tuple(grams.gram(seed.sound, grams.alike(each)) for each in whole)
    if han := han_of(word.text):
        yield tuple(grams.gram(seed.syllable, each) for one in han for each in grams.readings(one)[:1])


def _misspelt(tenant_id: str, word: Word) -> Iterator[Arm]:
    if len(word.text) >= grams.SHORTEST_SLIP - 1 and grams.LATIN_WORDS.fullmatch(word.text):
        most = 2 if len(word.text) >= grams.LONG - 2 else 1
        for part in _SLIPPED:
            seed = grams.seeds(tenant_id, part).slip
            yield from ((grams.gram(seed, each),) for each in grams.slips(word.text, most))


def together(words: Sequence[Collection[Arm]]) -> list[Arm] | None:
    """Where all of some words are, each in one of its ways; None for more ways than are worth asking for."""
    ways = [sorted(arms) for arms in words]
    total = 1
    for arms in ways:
        total *= len(arms)
    if total > _MAX_TOGETHER:
        return None
    return sorted({tuple(sorted({each for arm in chosen for each in arm})) for chosen in product(*ways)})
