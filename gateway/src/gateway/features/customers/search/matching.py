"""How well a customer fits what is asked for: which texts have its words, and how. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, Literal, NamedTuple, get_args

from crm_kit.texts.pinyin import readings_of, surname_pinyin

from gateway.features.customers.search.fields import NAMES, FieldName, SearchedText
from gateway.features.customers.search.grams import (
    HAN_RUNS,
    LATIN_WORDS,
    LONG,
    SHORTEST_SLIP,
    alike,
    readings,
)
from gateway.features.customers.search.query import SearchQuery, Word, han_of, parses

MatchKind = Literal["exact", "whole", "beginning", "part", "pinyin", "sound", "typo"]
"""The best first: the whole of what identifies somebody; a whole name; the beginning of one, of a word of it, or of something
else; a part; what Chinese characters are read as; what sounds alike; one letter or two written wrong.
"""

KINDS: Final[tuple[MatchKind, ...]] = get_args(MatchKind)
RANK: Final = {kind: rank for rank, kind in enumerate(KINDS)}
_STEPS: Final = 20
"""Within a kind, from the best to the worst: what of a name pinyin is."""

_BEGUN: Final = 4
_UNUSUAL: Final = 8
"""What a step is more where a syllable is not written out, and where it is not the usual reading."""


class Match(NamedTuple):
    """A word of the query in a text of the customer."""

    field: FieldName
    kind: MatchKind
    step: int = 0

    @property
    def rank(self) -> int:
        return RANK[self.kind] * _STEPS + self.step


class Fit(NamedTuple):
    """`rank`: of the word that fits worst; smaller is better."""

    rank: int
    matched: tuple[Match, ...]


def last_rank(kind: MatchKind) -> int:
    """Of the worst match of a kind."""
    return RANK[kind] * _STEPS + _STEPS - 1


def fit_of(query: SearchQuery, texts: Sequence[SearchedText], numbers: Mapping[str, Sequence[Match]]) -> Fit | None:
    """None where some word is nowhere. `numbers`: by word, how it is in the numbers of the customer's orders and tickets."""
    whole = _whole(query, texts)
    fits = [*([whole] if whole is not None else []), *_each(query, texts, numbers)]
    return min(fits, key=lambda fit: fit.rank, default=None)


def _whole(query: SearchQuery, texts: Iterable[SearchedText]) -> Fit | None:
    """Where several words are one name: it is that, or begins so, or they stand in it as they are written."""
    if " " not in query.whole:
        return None
    found = [match for text in texts if text.field in NAMES and (match := _phrase(query.whole, text)) is not None]
    best = min(found, key=lambda match: match.rank, default=None)
    return Fit(best.rank, (best,)) if best is not None else None


def _phrase(whole: str, text: SearchedText) -> Match | None:
    if text.text == whole or sorted(text.text.split(" ")) == sorted(whole.split(" ")):
        return Match(text.field, "whole")
    return _plain(whole, text) if whole in text.text else None


def _each(query: SearchQuery, texts: Sequence[SearchedText], numbers: Mapping[str, Sequence[Match]]) -> Iterator[Fit]:
    for words in query.alternatives:
        by_word: list[Sequence[Match]] = []
        for word in words:
            matches = [*numbers.get(word.text, ()), *written(word, texts)] or list(heard(word, texts))
            if not matches:
                break
            by_word.append(matches)
        else:
            rank = max(min(match.rank for match in matches) for matches in by_word)
            yield Fit(rank, _by_field(match for matches in by_word for match in matches))


def _by_field(matches: Iterable[Match]) -> tuple[Match, ...]:
    """The best of each field, the best first."""
    best: dict[FieldName, Match] = {}
    for match in sorted(matches, key=lambda match: match.rank):
        best.setdefault(match.field, match)
    return tuple(best.values())


def written(word: Word, texts: Iterable[SearchedText]) -> Iterator[Match]:
    """Where a word stands as it is written; telephone numbers are told by their digits."""
    for text in texts:
        part = word.digits if text.field == "phone" and word.digits else word.text
        if part and part in text.text:
            yield _plain(part, text)


def heard(word: Word, texts: Iterable[SearchedText]) -> Iterator[Match]:
    """Of names that do not have a word as it is written: which are read or sound like it, or are misspelt for it."""
    for text in texts:
        if text.field in NAMES:
            found = [*_read(word, text), *_alike(word, text), *_slipped(word, text)]
            yield from sorted(found, key=lambda match: match.rank)[:1]


def _plain(part: str, text: SearchedText) -> Match:
    if part == text.text:
        return Match(text.field, "whole" if text.field in NAMES else "exact")
    begins = text.text.startswith(part) or (text.field in NAMES and f" {part}" in text.text)
    return Match(text.field, "beginning" if begins else "part")


def _read(word: Word, text: SearchedText) -> Iterator[Match]:
    """Letters as pinyin of characters that stand side by side; any of their readings counts, the usual one more."""
    if len(word.letters) > 1:
        for run in HAN_RUNS.findall(text.text):
            begins = [n for n, character in enumerate(run) if word.letters[0] in _initials(character)]
            found = [step for begin in begins if (step := _step(word.letters, run, begin)) is not None]
            if found:
                yield Match(text.field, "pinyin", min(found) + (0 if run == text.text else 1))


def _step(letters: str, run: str, begin: int) -> int | None:
    """How well letters are what the characters from there on are read as; None where they are not."""
    least: int | None = None
    seen: set[tuple[int, int, int]] = set()
    ways = [(begin, 0, 0)]
    while ways:
        place, done, cost = ways.pop()
        if done == len(letters):
            whole = 0 if begin == 0 and place == len(run) else 1 if begin == 0 else 2
            least = cost + whole if least is None else min(least, cost + whole)
            continue
        if place == len(run) or (place, done, cost) in seen:
            continue
        seen.add((place, done, cost))
        for number, reading in enumerate(readings(run[place])):
            unusual = _UNUSUAL if number and not (place == 0 and reading == _surname(run[0])) else 0
            for taken in _taken(letters, done, reading):
                begun = _BEGUN if taken < len(reading) else 0
                ways.append((place + 1, done + taken, cost | unusual | begun))
    return least


def _taken(letters: str, done: int, reading: str) -> Iterator[int]:
    """How many letters may stand for the reading: all of it, its initial, or the last ones for its beginning."""
    if letters.startswith(reading, done):
        yield len(reading)
    rest = len(letters) - done
    if rest < len(reading) and reading.startswith(letters[done:]):
        yield rest
    if len(reading) > 1 and rest > 1 and letters[done] == reading[0]:
        yield 1
        if rest > 2 and len(reading) > 2 and reading[:2] in ("zh", "ch", "sh") and letters[done + 1] == "h":
            yield 2


def _alike(word: Word, text: SearchedText) -> Iterator[Match]:
    """Pinyin whose sounds are mixed up, and other characters that are read alike."""
    for run in HAN_RUNS.findall(text.text):
        heard = _sounds(run)
        for parse in parses(word.letters) if len(word.letters) > 1 else ():
            if all(each.is_whole for each in parse) and _is_in(
                [frozenset({alike(each.letters)}) for each in parse], heard
            ):
                yield Match(text.field, "sound")
        if han := han_of(word.text):
            read = [frozenset(readings(character)) for character in run]
            if _is_in([frozenset(readings_of(character)[:1]) for character in han], read):
                yield Match(text.field, "sound", 1)


@lru_cache(maxsize=5_000)
def _sounds(run: str) -> tuple[frozenset[str], ...]:
    """By character, what its readings sound like."""
    return tuple(frozenset(map(alike, readings(character))) for character in run)


@lru_cache(maxsize=10_000)
def _initials(character: str) -> frozenset[str]:
    return frozenset(reading[0] for reading in readings(character))


def _is_in(sought: Sequence[frozenset[str]], heard: Sequence[frozenset[str]]) -> bool:
    """Whether there are neighbours that each share something with what is sought, in its order."""
    return any(
        all(one & heard[begin + n] for n, one in enumerate(sought)) for begin in range(len(heard) - len(sought) + 1)
    )


def _slipped(word: Word, text: SearchedText) -> Iterator[Match]:
    """A word of a name with a letter more, less, another, or two exchanged; in a long one, twice."""
    if text.field != "name" or len(word.text) < SHORTEST_SLIP - 1 or not LATIN_WORDS.fullmatch(word.text):
        return
    for each in LATIN_WORDS.findall(text.text):
        if len(each) >= SHORTEST_SLIP:
            most = 2 if len(each) >= LONG else 1
            if abs(len(each) - len(word.text)) <= most and (distance := _distance(word.text, each, most)) <= most:
                yield Match(text.field, "typo", distance)


def _distance(one: str, other: str, most: int) -> int:
    from rapidfuzz.distance import DamerauLevenshtein  # 5 MB, for who searches

    return DamerauLevenshtein.distance(one, other, score_cutoff=most)


@lru_cache(maxsize=10_000)
def _surname(character: str) -> str:
    return surname_pinyin(character)
