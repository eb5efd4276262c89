"""Pure decisions about copies: what of an entity is kept."""

from typing import Any, Final

from crm_contracts.contacts import Account, Contact

CONTACT_FIELDS: Final = ("first_name", "last_name", "full_name", "title", "language", "lifecycle_stage")
ACCOUNT_FIELDS: Final = ("name", "domain", "industry")


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
