"""Match keys: contacts that may be one person share at least one, and few others do. Pure.

Each is a word for what it is of and a normalised value; together they are what an index is asked by, so that no
contact is ever compared with all others.
"""

from collections.abc import Iterator
from math import ceil
from typing import Final
from zlib import crc32

from contacts_svc.features.matching.rules.addresses import Address
from contacts_svc.features.matching.rules.identifiers import LONG_LOCAL_PART, ROLES
from contacts_svc.features.matching.rules.names import Name
from contacts_svc.features.matching.rules.profile import Profile
from contacts_svc.features.matching.rules.text import sound
from contacts_svc.features.matching.rules.weights import SHARED_BY_MANY

COMPARED_FROM: Final = 2
_FEW: Final = 5
_MANY: Final = 100_000
_SHARED_BY_OTHERS: Final = frozenset("ab")

_MOST_WORDS: Final = 4
"""Of a name, that are keyed: a longer one is that of an organisation."""

_MOST_PHONES: Final = 3
"""Of a contact, that are keyed with the words of its name."""

_DIALLED: Final = 8
"""Last digits of a number, by which it is found with or without its country and area code."""

KEYS: Final = range(-(2**31), 2**31)
"""What `key_number` may be."""

_GATHERED: Final = 250_000
"""Contacts whose keys are gathered at once."""


def match_keys(profile: Profile) -> list[str]:
    """Each once, in a fixed order."""
    return list(dict.fromkeys(_keys(profile)))


def _keys(profile: Profile) -> Iterator[str]:
    for email in sorted(profile.emails):
        yield email_key(email)
        local = email.partition("@")[0]
        if len(local) >= LONG_LOCAL_PART and local not in ROLES:
            yield f"l:{local}"
    for phone in sorted(profile.phones):
        yield phone_key(phone)
    if profile.wechat:
        yield f"w:{profile.wechat}"
    if profile.address is not None and (address := address_key(profile.address)):
        yield address
    if profile.birthday is not None:
        yield f"b:{profile.birthday:%Y%m%d}"
    yield from _of_name(profile)


def _of_name(profile: Profile) -> Iterator[str]:
    """The whole name, and each word's skeleton together with one thing more that does not hang on it."""
    if profile.name is None:
        return
    yield name_key(profile.name)
    skeletons = dict.fromkeys(map(_skeleton, profile.name.words[:_MOST_WORDS]))
    if len(skeletons) > 1:
        yield "s:" + ".".join(sorted(skeletons))
    for skeleton in skeletons:
        for part in _parts(profile):
            yield f"{skeleton}..{part}"


def _parts(profile: Profile) -> Iterator[str]:
    if profile.birthday is not None:
        yield f"{profile.birthday:%Y%m}"
        yield f"{profile.birthday:%m%d}"
    if (address := profile.address) is not None:
        if address.postal_code:
            yield f"z{address.postal_code}"
        elif address.places:
            yield f"c{max(address.places, key=lambda place: (len(place), place))}"
        if address.numbers:
            yield f"n{address.numbers[0]}"
        if address.street:
            yield f"t{address.street[:4]}"
    if profile.account_id:
        yield f"o{profile.account_id}"
    for phone in sorted(profile.phones)[:_MOST_PHONES]:
        yield f"d{phone[-4:]}"


def evidence(key: str, holders: int, contacts: int) -> int:
    """What sharing it is good for among so many contacts: two are compared from COMPARED_FROM on. A key that too many hold is good
    for nothing.

    A house, a day of birth, or a word's skeleton beside one thing more, is good for less, unless few hold it where contacts are
    few: among many it is chance that most share it by, and whoever is one person shares something else too.
    """
    if holders > SHARED_BY_MANY:
        return 0
    if contacts >= _MANY:
        return 1 if key[1] != ":" or key[0] in _SHARED_BY_OTHERS else COMPARED_FROM
    return COMPARED_FROM if key[1] == ":" or holders <= _FEW else 1


def email_key(email: str) -> str:
    return f"e:{email}"


def phone_key(phone: str) -> str:
    return f"p:{phone[-_DIALLED:]}"


def name_key(name: Name) -> str:
    return f"n:{name.letters}"


def address_key(address: Address) -> str | None:
    """None where it names no house."""
    return f"a:{address.numbers[0]}.{address.street[:6]}" if address.street and address.numbers else None


def _skeleton(word: str) -> str:
    """The first letter and the next two that are no vowels, without doubles: what most slips leave as it is."""
    plain = sound(word)
    consonants = [each for each in plain[1:] if each not in "aeiouyhw" and each != plain[0]]
    return plain[0] + "".join(dict.fromkeys(consonants))[:2]


def key_number(tenant_id: str, key: str) -> int:
    """As the index holds it: four bytes, the tenant's own. Keys may share one, which costs a comparison and no more."""
    return crc32(f"{tenant_id} {key}".encode()) + KEYS.start


def key_numbers(tenant_id: str, profile: Profile) -> list[int]:
    """Of all its match keys."""
    return [key_number(tenant_id, key) for key in match_keys(profile)]


def part_of_keys(first: int, contacts: int) -> range:
    """The numbers from `first` on of which so many contacts hold no more than can be gathered at once: numbers are spread evenly."""
    parts = max(1, ceil(contacts / _GATHERED))
    return range(first, min(first + ceil(len(KEYS) / parts), KEYS.stop))
