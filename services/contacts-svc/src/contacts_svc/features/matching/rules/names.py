"""Names: their words in any order, in Latin letters or Chinese characters, and how far two of them agree. Pure."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Final, NamedTuple

from nicknames import name_triplets
from rapidfuzz.distance import OSA, JaroWinkler

from contacts_svc.features.contacts.rules import is_han, split_han
from contacts_svc.features.matching.rules import text

_HONORIFICS: Final = frozenset("mr mrs ms miss dr prof sir madam mx jr sr herr frau mme".split())
_HAN_HONORIFICS: Final = ("先生", "女士", "小姐", "太太", "老师", "经理", "总监", "总")

_MAX_WORDS: Final = 8
"""Of a name; what comes after says little, and comparing takes each with each."""

_LIKE: Final = 0.92
"""Jaro-Winkler of two words that may be one: usual for names since Winkler (1990)."""


class Name(NamedTuple):
    """`words`: folded, a Chinese name's surname and given name in pinyin. `han`: its simplified characters, or empty.

    `letters`: those of all words in alphabetical order, the same however the words are ordered, joined or split. `family`:
    the last word of what was given as the last name.
    """

    words: tuple[str, ...]
    han: str
    letters: str
    family: str


class NameAgreement(NamedTuple):
    """`exact`: words of both. `near`: pairs of words that may be one."""

    level: str
    exact: tuple[str, ...] = ()
    near: tuple[tuple[str, str], ...] = ()


def _nicknames() -> Mapping[str, Set[str]]:
    """By each name those that it is called by, and the other way round."""
    known: dict[str, set[str]] = defaultdict(set)
    for triplet in name_triplets():
        known[triplet.name1].add(triplet.name2)
        known[triplet.name2].add(triplet.name1)
    return dict(known)


_NICKNAMES: Final = _nicknames()


def name_of(first: str | None, last: str | None, full: str | None) -> Name | None:
    """None where there is no name."""
    written = text.fold(full if full is not None else f"{first or ''} {last or ''}").strip()
    if not written:
        return None
    if not text.has_han(written):
        found = [word for word in text.words(written) if word not in _HONORIFICS] or text.words(written)
        return _name(found, "", next(reversed(text.words(text.fold(last or ""))), ""))
    runs = text.words(written)
    han = [run for run in runs if text.has_han(run)]
    latin = [run for run in runs if not text.has_han(run) and run not in _HONORIFICS]
    given: str | None
    if first is not None and last is not None and is_han(first) and is_han(last):
        surname, given = text.fold(last), text.fold(first)
    else:
        surname, given = split_han(_without_honorific(" ".join(han)))
    family = text.surname_pinyin(surname)
    return _name([family, *([text.pinyin(given)] if given else []), *latin], surname + (given or ""), family)


def _without_honorific(name: str) -> str:
    for title in _HAN_HONORIFICS:
        if name.endswith(title) and len(name) > len(title):
            return name.removesuffix(title)
    return name


def _name(found: Sequence[str], han: str, family: str) -> Name | None:
    unique = tuple(dict.fromkeys(found))[:_MAX_WORDS]
    return Name(unique, han, "".join(sorted("".join(unique))), family) if unique else None


def compare_names(one: Name, other: Name, is_usual: Callable[[str], bool]) -> NameAgreement:
    """Levels: `same` words in any order; `same_sound`, in other characters; `alike`: each word has its like, or nearly all
    of a long name; `contained`: all of the shorter; `family`: the last name alone agrees; `clashing`: others do, and some do
    not; `different`.

    Two words that are usual are two names, however few letters differ: Mary is no slip of Mark.
    """
    if one.words == other.words or one.letters == other.letters:
        if one.words != other.words and sorted(one.words) != sorted(other.words):
            return NameAgreement("alike", one.words)
        same = not one.han or not other.han or one.han == other.han or sorted(one.han) == sorted(other.han)
        return NameAgreement("same" if same else "same_sound", one.words)
    exact = tuple(word for word in one.words if word in other.words)
    rest = [word for word in one.words if word not in exact]
    others = [word for word in other.words if word not in exact]
    near = _near_words(rest, others, is_usual, in_han=bool(one.han and other.han))
    shared = len(exact) + len(near)
    if not shared:
        return NameAgreement("different")
    level = _level(shared, len(one.words), len(other.words), bool(near))
    if level == "clashing" and shared == 1:
        (pair,) = near or ((exact[0], exact[0]),)
        level = "family" if pair == (one.family, other.family) else level
    return NameAgreement(level, exact, near)


def _level(shared: int, one: int, other: int, any_near: bool) -> str:
    shorter, longer = sorted((one, other))
    if shared == longer:
        return "alike" if any_near else "same"
    if shared == shorter:
        return "contained"
    return "alike" if shared >= 3 and shared >= 0.7 * longer else "clashing"


def _near_words(
    rest: list[str], others: list[str], is_usual: Callable[[str], bool], *, in_han: bool
) -> tuple[tuple[str, str], ...]:
    """Each word of `rest` with its like among `others`, each at most once."""
    found = []
    for word in rest:
        for other in others:
            if _are_near(word, other, is_usual, in_han=in_han):
                others.remove(other)
                found.append((word, other))
                break
    return tuple(found)


def _are_near(one: str, other: str, is_usual: Callable[[str], bool], *, in_han: bool) -> bool:
    """Characters are mistaken for others of their sound; spellings differ by a slip, a cut or an initial."""
    if in_han:
        return text.sound(one) == text.sound(other)
    if one in _NICKNAMES and other in _NICKNAMES[one]:
        return True
    shorter, longer = (one, other) if len(one) <= len(other) else (other, one)
    if len(shorter) == 1 or (len(shorter) >= 3 and longer.startswith(shorter)):
        return longer.startswith(shorter)
    if len(longer) < 4:
        return False
    slips = 1 if len(longer) < 8 else 2
    alike = OSA.distance(one, other, score_cutoff=slips) <= slips
    alike = alike or JaroWinkler.similarity(one, other, score_cutoff=_LIKE) >= _LIKE
    return alike and not (is_usual(one) and is_usual(other))
