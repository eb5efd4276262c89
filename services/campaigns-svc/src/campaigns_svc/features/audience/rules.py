"""Pure decisions about copies: which event counts, and what of an entity is kept."""

from collections.abc import Iterable
from typing import Any, Final

from crm_contracts.contacts import Account, Contact
from crm_contracts.envelope import Event

CONTACT_FIELDS: Final = ("first_name", "last_name", "full_name", "title", "language", "lifecycle_stage")
ACCOUNT_FIELDS: Final = ("name", "domain", "industry")


def newest(events: Iterable[Event]) -> list[Event]:
    """The event with the greatest version of each entity; of equals the first, since a tombstone says no more."""
    found: dict[str, Event] = {}
    for event in events:
        known = found.get(event.subject)
        if known is None or event.sequence > known.sequence:
            found[event.subject] = event
    return [found[subject] for subject in sorted(found)]


def primary_email(contact: Contact) -> str | None:
    """The primary address, or the first where none is."""
    addresses = sorted(contact.emails, key=lambda email: not email.primary)
    return addresses[0].address if addresses else None


def contact_profile(contact: Contact) -> dict[str, Any]:
    """What templates may show of a contact."""
    profile = contact.model_dump(mode="json", include={*CONTACT_FIELDS, "custom"}, exclude_none=True)
    return {**profile, "id": contact.id, "email": primary_email(contact)}


def account_profile(account: Account) -> dict[str, Any]:
    """What templates may show of a contact's account."""
    profile = account.model_dump(mode="json", include={*ACCOUNT_FIELDS, "custom"}, exclude_none=True)
    return {**profile, "id": account.id}
