"""By what an index finds texts: numbers of 31 bits, hashes of parts of them, of tenant and of the right by which they are seen. Pure.

They only narrow: whoever looks up by them looks at the texts, too. The tenant is in the hash, so that tenants do not meet in
the index, and the part, so that nobody is shown by how many candidates there are what stands where they may not look.
"""

import re
import zlib
from collections.abc import Iterable, Iterator, Set
from functools import lru_cache
from itertools import product
from typing import Final, NamedTuple

from crm_kit.texts.pinyin import readings_of, sound, surname_pinyin

from gateway.features.customers.search.fields import NAMES, Part, Searched, SearchedText

_MOST: Final = 4_000
"""Of one customer."""

_BITS: Final = 0x7FFF_FFFF

_WIDE: Final = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
HAN_RUNS: Final = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+")
LATIN_WORDS: Final = re.compile(r"[a-z]+")

SHORTEST_SLIP: Final = 4
LONG: Final = 8
_SLIPPED: Final = 7
"""How much of a word is looked at for slips: behind it words differ enough (Garbe's SymSpell)."""


class Seeds(NamedTuple):
    """What hashes begin with, by what is hashed."""

    part: int
    whole: int
    beginning: int
    syllable: int
    initials: int
    sound: int
    slip: int


@lru_cache(maxsize=4_096)
def seeds(tenant_id: str, part: Part) -> Seeds:
    """Of a tenant and a part."""
    return Seeds(*(zlib.crc32(f"{tenant_id} {part} {name}".encode()) for name in Seeds._fields))


@lru_cache(maxsize=4_096)
def number_seeds(tenant_id: str) -> Seeds:
    """Of the numbers of a tenant's orders and tickets."""
    return Seeds(*(zlib.crc32(f"{tenant_id} number {name}".encode()) for name in Seeds._fields))


def gram(seed: int, text: str) -> int:
    return zlib.crc32(text.encode(errors="replace"), seed) & _BITS


def is_wide(character: str) -> bool:
    """Whether it tells as much as a word of letters: Chinese and Japanese."""
    return character > "\u3000" and _WIDE.match(character) is not None


def grams_of(tenant_id: str, customer: Searched) -> list[int]:
    """All of what a customer is found by, sorted."""
    found: set[int] = set()
    for part, texts in customer.texts.items():
        if not texts:
            continue
        seed = seeds(tenant_id, part)
        for text in texts:
            found.update(_grams(seed, text))
            if len(found) > _MOST:
                return sorted(found)[:_MOST]
    return sorted(found)


def grams_of_number(tenant_id: str, text: str) -> list[int]:
    """Of the number of an order or a ticket."""
    seed = number_seeds(tenant_id)
    return sorted({gram(seed.whole, text), *_part_grams(seed.part, text, pairs=False)})


def _grams(seed: Seeds, text: SearchedText) -> Set[int]:
    field, plain = text
    if field not in NAMES:
        beginnings = [gram(seed.beginning, each) for each in _beginnings(plain)]
        return {gram(seed.whole, plain), *beginnings, *_part_grams(seed.part, plain, pairs=False)}
    return _name_grams(seed, plain).union(_misspelt(seed, plain)) if field == "name" else _company_grams(seed, plain)


@lru_cache(maxsize=1_000)
def _company_grams(seed: Seeds, name: str) -> frozenset[int]:
    """Remembered: it comes again with each of the company's people."""
    return frozenset(_name_grams(seed, name))


def _name_grams(seed: Seeds, name: str) -> set[int]:
    found = {gram(seed.whole, name), gram(seed.whole, _in_order(name))}
    found.update(_part_grams(seed.part, name, pairs=True))
    for word in name.split(" "):
        found.update([gram(seed.beginning, each) for each in _beginnings(word)])
    for run in HAN_RUNS.findall(name):
        found.update(_read(seed, run))
    return found


def _misspelt(seed: Seeds, name: str) -> Iterator[int]:
    for word in LATIN_WORDS.findall(name):
        if len(word) >= SHORTEST_SLIP:
            for each in slips(word, 2 if len(word) >= LONG else 1):
                yield gram(seed.slip, each)


def _in_order(text: str) -> str:
    return " ".join(sorted(text.split(" ")))


def whole_grams(seed: Seeds, whole: str) -> list[int]:
    """One of which a text has that is the whole, its words in any order."""
    return [gram(seed.whole, each) for each in dict.fromkeys((whole, _in_order(whole)))]


def _part_grams(seed: int, text: str, *, pairs: bool) -> list[int]:
    """Of one and two adjacent wide characters, of three others; of names, of two others as well."""
    if not text.isascii():
        return [gram(seed, part) for part in _parts(text, pairs=pairs)]
    raw, sizes = text.encode(), (2, 3) if pairs else (3,)
    parts = [raw[n : n + size] for size in sizes for n in range(len(raw) - size + 1)]
    return [zlib.crc32(part, seed) & _BITS for part in parts if b" " not in part]


def _parts(text: str, *, pairs: bool) -> Iterator[str]:
    wide = [is_wide(each) for each in text]
    for n, here in enumerate(wide):
        if here:
            yield text[n]
        if text[n] == " ":
            continue
        if n + 1 < len(text) and text[n + 1] != " " and (pairs or here or wide[n + 1]):
            yield text[n : n + 2]
        if n + 2 < len(text) and not any(wide[n : n + 3]) and " " not in text[n + 1 : n + 3]:
            yield text[n : n + 3]


def part_grams(seed: Seeds, part: str) -> list[int]:
    """Which a text has that contains this word; none where it is too short for the index to tell."""
    if len(part) == 1:
        return [gram(seed.part, part)] if is_wide(part) else []
    wide = [is_wide(each) for each in part]
    found = [part[n : n + 2] for n in range(len(part) - 1) if wide[n] or wide[n + 1]]
    found += [part[n : n + 3] for n in range(len(part) - 2) if not any(wide[n : n + 3])]
    return [gram(seed.part, each) for each in found[:16]]


def pair_grams(seed: Seeds, part: str) -> list[int]:
    """Which a name has that contains these two letters."""
    return [gram(seed.part, part)]


def _beginnings(word: str) -> Iterator[str]:
    if word and is_wide(word[0]):
        yield word[0]
        if len(word) > 1:
            yield word[:2]
    elif len(word) > 2:
        yield word[:3]


def beginning_grams(seed: Seeds, beginning: str) -> list[int]:
    """Which a text has of which a word begins so; none where it is too short to tell."""
    begun = list(_beginnings(beginning))[-1:]
    return [*(gram(seed.beginning, each) for each in begun), *part_grams(seed, beginning)] if begun else []


@lru_cache(maxsize=20_000)
def readings(character: str) -> tuple[str, ...]:
    """What a character of a name may be read as, the usual one first; at most five."""
    found = readings_of(character)[:4]
    surname = surname_pinyin(character)
    return found if surname in found or surname == character else (*found, surname)


def alike(syllable: str) -> str:
    """As `sound`, for who does not tell n from l at a beginning either."""
    plain = sound(syllable)
    return f"l{plain[1:]}" if plain.startswith("n") else plain


@lru_cache(maxsize=20_000)
def _spoken(syllable: int, sounding: int, character: str) -> tuple[int, ...]:
    """Of a character, by the seeds of its syllables and of what these sound alike."""
    read = readings(character)
    return (*(gram(syllable, each) for each in read), *(gram(sounding, alike(each)) for each in read))


@lru_cache(maxsize=20_000)
def _initials(character: str) -> tuple[str, ...]:
    return tuple(sorted({each[0] for each in readings(character)}))


def _read(seed: Seeds, run: str) -> Iterator[int]:
    """Of characters: their syllables, what these sound alike, and the first letters of two and of three."""
    for character in run:
        yield from _spoken(seed.syllable, seed.sound, character)
    first = [_initials(character) for character in run]
    for size in (2, 3):
        for n in range(len(run) - size + 1):
            for letters in product(*first[n : n + size]):
                yield gram(seed.initials, "".join(letters))


def initials_grams(seed: Seeds, letters: str) -> list[int]:
    """Which characters have whose syllables begin with these letters; none for a single one."""
    size = min(3, len(letters))
    return [gram(seed.initials, letters[n : n + size]) for n in range(len(letters) - size + 1)] if size > 1 else []


def slips(word: str, most: int) -> frozenset[str]:
    """The word's beginning, and what is left of it without up to so many letters.

    Two words share one if no more slips than that make one of the other: a letter more, less, another or two exchanged.
    """
    found = {word[:_SLIPPED]}
    last: Iterable[str] = found
    for _ in range(most):
        last = {each[:n] + each[n + 1 :] for each in last for n in range(len(each))}
        found |= last
    return frozenset(found)
