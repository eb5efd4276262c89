"""Pure decisions about consents."""

from collections.abc import Iterable
from typing import Final

from crm_contracts.contacts import Consent

EXPIRY: Final = "consent_expiry"
"""The timer of a consent that was given for a time."""


def present_state(entries: Iterable[Consent]) -> list[Consent]:
    """The entry that decides for each (channel, purpose): the one with the greatest (`at`, `number`).

    By `at`, so that an old paper form that is typed in late does not undo a withdrawal that came after it.
    """
    deciding: dict[tuple[str, str], Consent] = {}
    for entry in entries:
        key = (entry.channel, entry.purpose)
        if key not in deciding or (entry.at, entry.number) > (deciding[key].at, deciding[key].number):
            deciding[key] = entry
    return [deciding[key] for key in sorted(deciding)]


def stricter(contact_id: str, entries: Iterable[Consent]) -> list[Consent]:
    """Of the deciding entries of several contacts, which are one from now on, those that count for `contact_id` and are not its
    own: for each (channel, purpose) a withdrawal before everything else, then what ends first.
    """
    by_purpose: dict[tuple[str, str], list[Consent]] = {}
    for entry in entries:
        by_purpose.setdefault((entry.channel, entry.purpose), []).append(entry)
    decided = (min(some, key=lambda entry: _strictness(contact_id, entry)) for some in by_purpose.values())
    return [entry for entry in decided if entry.contact_id != contact_id]


def _strictness(contact_id: str, entry: Consent) -> tuple[bool, bool, str, bool, str]:
    ends = entry.expires_at.isoformat() if entry.expires_at is not None and entry.status == "granted" else ""
    return (entry.status != "withdrawn", not ends, ends, entry.contact_id != contact_id, entry.id)
