"""What somebody asks for: words that must all be found, each somewhere. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final, NamedTuple

from crm_kit.texts.pinyin import syllables

from gateway.features.customers.search.fields import folded
from gateway.features.customers.search.grams import HAN_RUNS, alike, is_wide

MAX_LENGTH: Final = 200
MAX_WORDS: Final = 8
_MAX_LETTERS: Final = 40
"""Of pinyin; a company's name has less."""
_MAX_PARSES: Final = 4
_ALL_INITIALS: Final = 4
"""So many letters may each be a syllable's first, whatever else they may be."""

_PHONE: Final = re.compile(r"\+?[\d\s().\-/]+")
_TRUNK: Final = re.compile(r"\(0\)")
_NO_DIGITS: Final = re.compile(r"\D")
_PINYIN: Final = re.compile(r"[a-z]+")
_INITIALS: Final = frozenset("abcdefghjklmnopqrstwxyz")


class TooManyWords(ValueError):
    """More than a name, a company and a number come to."""


class Syllable(NamedTuple):
    """`is_whole`: not only its beginning."""

    letters: str
    is_whole: bool


Parse = tuple[Syllable, ...]


@dataclass(frozen=True, slots=True)
class Word:
    """`digits`: as of a telephone number. `letters`: as of pinyin. `text` is empty where it is one of these alone."""

    text: str
    digits: str = ""
    letters: str = ""

    @property
    def is_short(self) -> bool:
        """Whether the index cannot tell where it is a part: one letter or digit, or two."""
        return 0 < len(self.text) < 3 and not any(map(is_wide, self.text))

    @property
    def is_number_like(self) -> bool:
        return any(map(str.isdigit, self.text))


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """`alternatives`: ways to take it, each of words that must all be found."""

    whole: str
    alternatives: tuple[tuple[Word, ...], ...]

    @property
    def is_short(self) -> bool:
        """Whether some word is too short for the index."""
        return any(word.is_short for word in self.alternatives[0])


def understood(asked: str) -> SearchQuery | None:
    """None where nothing is asked for. Raises TooManyWords."""
    whole = folded(asked)
    if not whole:
        return None
    found = tuple(_word(text) for text in dict.fromkeys(whole.split(" ")))
    if len(found) > MAX_WORDS:
        raise TooManyWords
    alternatives = [found]
    if len(found) > 1:
        if digits := _phone_digits(whole, at_least=5):
            alternatives.append((Word("", digits=digits),))
        joined = "".join(word.letters for word in found)
        if all(word.letters for word in found) and len(joined) <= _MAX_LETTERS:
            # zhang wei and z wei are read as one, as zhangwei and zwei are.
            alternatives.append((Word("", letters="".join(_letters(text) for text in whole.split(" "))),))
    return SearchQuery(whole, tuple(alternatives))


def _word(text: str) -> Word:
    digits = _phone_digits(text, at_least=3)
    return Word(text, digits if digits != text else "", _letters(text))


def _phone_digits(text: str, *, at_least: int) -> str:
    if not _PHONE.fullmatch(text):
        return ""
    digits = _NO_DIGITS.sub("", _TRUNK.sub("", text))
    digits = digits.removeprefix("00") if len(digits) > 8 else digits
    return digits if len(digits) >= at_least else ""


def _letters(text: str) -> str:
    return text.replace("v", "u") if len(text) <= _MAX_LETTERS and _PINYIN.fullmatch(text) else ""


@cache
def _confusable() -> frozenset[str]:
    """Syllables as they are written by who mixes up sounds, of which not all are ones: zuang for zhuang."""
    heard: set[str] = set()
    for syllable in syllables():
        heads = {syllable}
        for one, other in (("zh", "z"), ("ch", "c"), ("sh", "s"), ("n", "l"), ("l", "n")):
            if syllable.startswith(one) and (len(one) > 1 or syllable[1:2] != "g"):
                heads.add(other + syllable[len(one) :])
            if syllable.startswith(other) and one[1:] == "h" and not syllable.startswith(one):
                heads.add(one + syllable[len(other) :])
        for head in heads:
            heard.add(head)
            if head.endswith(("ang", "eng", "ing")):
                heard.add(head[:-1])
            elif head.endswith(("an", "en", "in")):
                heard.add(head + "g")
    return frozenset(heard)


@cache
def _known_sounds() -> frozenset[str]:
    return frozenset(map(alike, syllables()))


@cache
def _beginnings() -> frozenset[str]:
    return frozenset(each[:n] for each in syllables() for n in range(2, len(each)))


@lru_cache(maxsize=256)
def parses(letters: str) -> tuple[Parse, ...]:
    """The likeliest ways to take letters for pinyin: of few whole syllables, else of as few beginnings of some as can be.

    `zhangwei`, `zhangw`, `zwei` and `zw` are all one name; the last syllable may not be written out.
    """
    best: list[list[tuple[int, Parse]]] = [[(0, ())], *([] for _ in letters)]
    for end in range(1, len(letters) + 1):
        found = [
            (cost + more, (*parse, syllable))
            for begin in range(max(0, end - 6), end)
            for more, syllable in _taken(letters[begin:end], is_first=begin == 0, is_last=end == len(letters))
            for cost, parse in best[begin]
        ]
        best[end] = sorted(found)[:_MAX_PARSES]
    least = best[-1][0][0] if best[-1] else 0
    likely = [parse for cost, parse in best[-1] if cost <= least + 2]
    if 1 < len(letters) <= _ALL_INITIALS and _INITIALS.issuperset(letters):
        likely.append(tuple(Syllable(letter, is_whole=False) for letter in letters))
    return tuple(dict.fromkeys(parse for parse in likely if len(parse) > 1 or len(parse[0].letters) > 1))


def _taken(letters: str, *, is_first: bool, is_last: bool) -> Iterator[tuple[int, Syllable]]:
    is_whole = letters in syllables() or letters in _confusable()
    if is_whole:
        yield 2 if letters in syllables() else 3, Syllable(letters, is_whole=True)
    if is_last and (letters in _beginnings() or letters in _INITIALS) and not (is_first and is_whole):
        yield 4, Syllable(letters, is_whole=False)
    elif letters in ("zh", "ch", "sh") or letters in _INITIALS:
        yield 7, Syllable(letters, is_whole=False)


@lru_cache(maxsize=1_000)
def completed(beginning: str) -> tuple[str, ...]:
    """The syllables that begin so."""
    return tuple(sorted(each for each in syllables() if each.startswith(beginning)))


def han_of(text: str) -> str:
    """The characters of a word that is of nothing else; empty otherwise."""
    return text if len(text) > 1 and HAN_RUNS.fullmatch(text) else ""
