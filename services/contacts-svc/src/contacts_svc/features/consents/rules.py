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
