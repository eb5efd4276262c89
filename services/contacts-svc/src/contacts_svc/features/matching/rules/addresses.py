"""Postal addresses: street and number apart from the place, whatever is abbreviated. Pure."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from rapidfuzz import fuzz
from rapidfuzz.distance import OSA

from contacts_svc.features.matching.rules import text

# Kinds of streets and of dwellings: they are left out or abbreviated as it comes.
_KINDS: Final = frozenset(
    """
    street st str road rd avenue ave av boulevard blvd drive dr lane ln court ct place pl square sq terrace tce ter
    highway hwy parkway pkwy circuit cct crescent cres cr close cl way parade pde grove gr strasse rue via calle
    apt apartment unit suite ste flat floor fl room rm no number level building bldg the of
    """.split()
)
_COMPASS: Final = {"north": "n", "south": "s", "east": "e", "west": "w"}
_HAN_KINDS: Final = re.compile(r"[号栋幢座楼层室弄]|单元")
_HAN_PLACES: Final = re.compile(
    r"^(?:中国)?((?:\w{2,7}?(?:省|自治区|特别行政区))?(?:\w{2,7}?(?:市|自治州|地区|盟))?(?:\w{1,7}?(?:新区|区|县|旗|市))?)(?=\S{2,})"
)
_HAN_PLACE_KINDS: Final = re.compile(
    r"(特别行政区|维吾尔自治区|壮族自治区|回族自治区|自治区|自治州|地区|新区|省|市|区|县|盟|旗)"
)
_PLACES_KEPT: Final = 4_096
"""The names of so many places are taken apart once: many live in one town."""

_LIKE: Final = 85.0
_ALIKE: Final = 65.0
"""Of two street names, in hundredths: one slip in seven letters; and, where the number agrees, one in three."""


class Address(NamedTuple):
    """`street`: its words without numbers and kinds, joined. `numbers`: house, staircase, flat, in their order.

    `places`: names of city, district and region. `whole`: all letters of the street, kinds too.
    """

    street: str
    whole: str
    numbers: tuple[str, ...]
    places: frozenset[str]
    postal_code: str


def address_of(given: Mapping[str, Any] | None) -> Address | None:
    """None where nothing of it is told but the country."""
    if not given:
        return None
    street, inline = _split_han_places(text.fold(given.get("street") or ""))
    found = [_COMPASS.get(word, word) for word in text.words(street)]
    numbers = tuple(word.lstrip("0") for word in found if word.isdigit() and word.strip("0"))
    names = [word for word in found if not word.isdigit() and word not in _KINDS]
    places = [text.fold(given.get(part) or "") for part in ("region", "city", "district")]
    postal_code = "".join(each for each in text.fold(given.get("postal_code") or "") if each.isalnum())
    address = Address(
        _HAN_KINDS.sub("", " ".join(names)),
        "".join(word for word in found if not word.isdigit()),
        numbers,
        frozenset(name for place in (*places, inline) for name in _place_names(place)),
        postal_code,
    )
    return address if any(address) else None


def _split_han_places(street: str) -> tuple[str, str]:
    """`浙江省杭州市西湖区文三路138号` is `文三路138号` in `浙江省杭州市西湖区`."""
    if not text.has_han(street):
        return street, ""
    found = _HAN_PLACES.match(street)
    return (street[found.end() :], found[1]) if found else (street, "")


@lru_cache(maxsize=_PLACES_KEPT)
def _place_names(place: str) -> tuple[str, ...]:
    if text.has_han(place):
        return tuple(_HAN_PLACE_KINDS.sub(" ", place).split())
    return (" ".join(text.words(place)),) if place.strip() else ()


def compare_streets(one: Address, other: Address) -> str | None:
    """`same` house and street; `alike`: house or street with a slip, or the flat is missing; `same_street`; `different`; None
    where either tells none.
    """
    if not one.street or not other.street:
        return None
    likeness = 100.0 if one.street == other.street else _likeness(one, other)
    if likeness < _LIKE:
        near = one.numbers and one.numbers == other.numbers and fuzz.ratio(one.street, other.street) >= _ALIKE
        return "alike" if near else "different"
    if one.numbers == other.numbers:
        return "same" if likeness == 100.0 else "alike"
    first, second = set(one.numbers), set(other.numbers)
    if one.numbers and other.numbers and (first <= second or second <= first or _is_slip(one.numbers, other.numbers)):
        return "alike"
    return "same_street"


def _likeness(one: Address, other: Address) -> float:
    """However the words are parted, ordered, and whether their kinds are told."""
    return max(
        fuzz.ratio(one.street.replace(" ", ""), other.street.replace(" ", "")),
        fuzz.token_sort_ratio(one.street, other.street),
        fuzz.ratio(one.whole, other.whole),
    )


def _is_slip(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Digits that are exchanged, missing or too many; 12 and 13 are two houses."""
    first, second = "".join(one), "".join(other)
    return (len(first) != len(second) and OSA.distance(first, second) <= 1) or sorted(first) == sorted(second)


def shared_places(one: Address, other: Address) -> frozenset[str] | None:
    """The places, and the postal code, that both name, `frozenset()` where all differ; None where either names none, or it may
    be a slip.
    """
    codes = one.postal_code and other.postal_code
    names = one.places and other.places
    shared = one.places & other.places
    if codes and one.postal_code == other.postal_code:
        return shared | {one.postal_code}
    if shared:
        return shared
    if not codes and not names:
        return None
    if codes and OSA.distance(one.postal_code, other.postal_code, score_cutoff=1) <= 1:
        return None
    if names and any(fuzz.ratio(a, b, score_cutoff=_LIKE) for a in one.places for b in other.places):
        return None
    return frozenset()
