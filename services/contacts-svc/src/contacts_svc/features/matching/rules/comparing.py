"""How far two contacts agree, field by field, and how likely chance alone would bring that about. Pure."""

from collections.abc import Iterable, Iterator
from functools import partial
from math import prod
from typing import Final, NamedTuple

from contacts_svc.features.matching.rules.addresses import Address, compare_streets, shared_places
from contacts_svc.features.matching.rules.companies import compare_companies
from contacts_svc.features.matching.rules.identifiers import compare_dates, compare_emails, compare_phones
from contacts_svc.features.matching.rules.keys import address_key, email_key, name_key, phone_key
from contacts_svc.features.matching.rules.names import Name, compare_names
from contacts_svc.features.matching.rules.profile import Profile
from contacts_svc.features.matching.rules.statistics import Statistics
from contacts_svc.features.matching.rules.weights import LEAST_CHANCE, SHARED_BY_MANY

_NEAR_SHARE: Final = 0.003
"""Of all words those that are like one."""

_OF_A_PLACE: Final = 0.4
"""Of the contacts in a place those that lie in another one too that is named: most names of places go together."""

_ONE_PERSONS: Final = 3
"""Contacts with one value that may still all be one person's."""


class Finding(NamedTuple):
    """`chance`: probability of this level, or at "same" of this very value, in any two contacts."""

    field: str
    level: str
    chance: float


def findings(one: Profile, other: Profile, statistics: Statistics) -> Iterator[Finding]:
    """What either lacks says nothing."""
    if one.name is not None and other.name is not None:
        yield _names(one.name, other.name, statistics)
    if one.emails and other.emails:
        yield _emails(one, other, statistics)
    if one.phones and other.phones:
        level = compare_phones(one.phones, other.phones)
        shared = map(phone_key, one.phones & other.phones)
        yield _counted("phone", level, shared, statistics)
    if one.birthday is not None and other.birthday is not None:
        yield _plain("birthday", compare_dates(one.birthday, other.birthday))
    if one.address is not None and other.address is not None:
        yield from _addresses(one.address, other.address, statistics)
    if one.account_id is not None and one.account_id == other.account_id:
        yield _plain("company", "same")
    elif one.company and other.company:
        yield _plain("company", compare_companies(one.company, other.company))
    if one.wechat is not None and other.wechat is not None:
        yield _plain("wechat", "same" if one.wechat == other.wechat else "different")
    if systems := one.external_ids.keys() & other.external_ids.keys():
        same = any(one.external_ids[system] == other.external_ids[system] for system in systems)
        yield _plain("external_ids", "same" if same else "different")


def _plain(field: str, level: str) -> Finding:
    return Finding(field, level, LEAST_CHANCE[field][level])


def _counted(field: str, level: str, keys: Iterable[str], statistics: Statistics) -> Finding:
    """Where both have one value: it says the less the more contacts have it."""
    if level != "same":
        return _plain(field, level)
    held_by = min((statistics.shared.get(key, 0) for key in keys), default=0)
    if held_by > SHARED_BY_MANY:
        return _plain(field, "shared_by_many")
    chance = max(LEAST_CHANCE[field][level], (held_by - _ONE_PERSONS) / statistics.counted_as)
    return Finding(field, level, chance)


def _addresses(one: Address, other: Address, statistics: Statistics) -> Iterator[Finding]:
    """House and place are told apart; where a house agrees that is in one place, the place says nothing more."""
    street, places = compare_streets(one, other), shared_places(one, other)
    if street in ("same", "alike") and places == frozenset():
        street = "same_street"
    if street is not None:
        yield _counted("street", street, filter(None, {address_key(one), address_key(other)}), statistics)
    if places is None or (places and street == "same"):
        return
    if not places:
        yield _plain("place", "different")
        return
    rarest, *others = sorted(map(statistics.place_share, places))
    yield Finding("place", "same", max(LEAST_CHANCE["place"]["same"], rarest * _OF_A_PLACE ** len(others)))


def _emails(one: Profile, other: Profile, statistics: Statistics) -> Finding:
    level = compare_emails(one.emails, other.emails)
    if level == "different" and one.verified and other.verified:
        return _plain("email", "contradicted")
    if level in ("same_name", "alike") and (_is_of_name(one) or _is_of_name(other)):
        return _plain("email", "of_name")
    return _counted("email", level, map(email_key, one.emails & other.emails), statistics)


def _is_of_name(profile: Profile) -> bool:
    """Whether an address is made of the name's words alone: whoever is called so may have such a one somewhere."""
    if profile.name is None:
        return False
    parts = (email.partition("@")[0] for email in profile.emails)
    return any("".join(sorted(filter(str.isalpha, part))) == profile.name.letters for part in parts)


def _names(one: Name, other: Name, statistics: Statistics) -> Finding:
    one, other = sorted((one, other))  # so that the same words are paired, whichever comes first
    level, exact, near = compare_names(one, other, statistics.is_usual)
    if level == "different":
        return _plain("name", level)
    share = partial(statistics.share, in_han=bool(one.han or other.han))
    chance = prod(map(share, exact)) * prod(max(_NEAR_SHARE, 3 * share(a), 3 * share(b)) for a, b in near)
    held_by = statistics.shared.get(name_key(one), 0) if level in ("same", "same_sound") else 0
    usual = (held_by - _ONE_PERSONS) / statistics.counted_as
    return Finding("name", level, min(max(LEAST_CHANCE["name"][level], chance, usual), 1.0))
