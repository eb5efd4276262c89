"""Addresses of communication and dates that are to belong to one person. Pure."""

from collections.abc import Collection
from datetime import date
from typing import Final

from rapidfuzz.distance import OSA

# Local parts that stand for an office, not for a person (RFC 2142, and what is usual beside it).
ROLES: Final = frozenset(
    "info admin office sales support contact hello mail service kefu postmaster webmaster billing hr jobs team".split()
)
LONG_LOCAL_PART: Final = 5
"""Characters from which on a local part may tell a person under another domain too."""


def compare_emails(one: Collection[str], other: Collection[str]) -> str:
    """Of lists that are not empty, by the pair that agrees best: `same`, `alike` (a slip), `same_name` under another domain,
    `different`.
    """
    if not set(one).isdisjoint(other):
        return "same"
    best = "different"
    for first in one:
        name, _, domain = first.partition("@")
        for second in other:
            other_name, _, other_domain = second.partition("@")
            if name == other_name:
                if name in ROLES or len(name) < LONG_LOCAL_PART:
                    continue
                if OSA.distance(domain, other_domain, score_cutoff=2) <= 2:
                    return "alike"
                best = "same_name"
            elif domain == other_domain and len(name) >= LONG_LOCAL_PART and _is_slip(name, other_name):
                return "alike"
    return best


def _is_slip(one: str, other: str) -> bool:
    """`wang1` and `wang2` are two on purpose."""
    digits = "0123456789"
    return one.rstrip(digits) != other.rstrip(digits) and OSA.distance(one, other, score_cutoff=1) <= 1


def compare_phones(one: Collection[str], other: Collection[str]) -> str:
    """As `compare_emails`: `same`, `alike` (one digit wrong, missing or in its neighbour's place), `different`."""
    if not set(one).isdisjoint(other):
        return "same"
    for first in one:
        for second in other:
            shorter, longer = sorted((first, second), key=len)
            if len(shorter) >= 7 and (longer.endswith(shorter) or OSA.distance(first, second, score_cutoff=1) <= 1):
                return "alike"
    return "different"


def compare_dates(one: date, other: date) -> str:
    """`same`, `alike` (a slip: one part differs, day and month are exchanged, or one digit is), `different`."""
    if one == other:
        return "same"
    parts = (one.year == other.year) + (one.month == other.month) + (one.day == other.day)
    exchanged = one.year == other.year and (one.month, one.day) == (other.day, other.month)
    digits = sum(a != b for a, b in zip(one.isoformat(), other.isoformat(), strict=True))
    return "alike" if parts == 2 or exchanged or digits == 1 else "different"
