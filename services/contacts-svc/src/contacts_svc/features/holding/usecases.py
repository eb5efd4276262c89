"""Refusing what a protected contact must be kept from."""

from crm_kit.db.session import ReadSession
from crm_kit.http.principal import Principal

from contacts_svc.features.contacts.errors import ProcessingRestricted
from contacts_svc.features.holding.errors import OnLegalHold
from contacts_svc.features.holding.repository import NO_PROTECTION, Protection, protections


async def refuse_changing(session: ReadSession, contact_id: str | None) -> None:
    """What is held of a restricted contact is stored, and not changed (GDPR article 18(2)). Raises ProcessingRestricted."""
    if (await _protection(session, contact_id)).restricted:
        raise ProcessingRestricted


async def refuse_deleting(session: ReadSession, contact_id: str | None, caller: Principal) -> None:
    """The contact itself, or what is held of it. Raises ProcessingRestricted, OnLegalHold."""
    found = await _protection(session, contact_id)
    if found.restricted:
        raise ProcessingRestricted
    _refuse_held(found, caller)


async def refuse_erasing(session: ReadSession, contact_id: str, caller: Principal) -> None:
    """A restriction keeps nobody from being forgotten. Raises OnLegalHold."""
    _refuse_held(await _protection(session, contact_id), caller)


async def _protection(session: ReadSession, contact_id: str | None) -> Protection:
    if contact_id is None:
        return NO_PROTECTION
    return (await protections(session, [contact_id])).get(contact_id, NO_PROTECTION)


def _refuse_held(found: Protection, caller: Principal) -> None:
    if found.hold_ids:
        named = caller.may("legal-holds:read")
        raise OnLegalHold(members={"legal_hold_ids": list(found.hold_ids)} if named else {})
