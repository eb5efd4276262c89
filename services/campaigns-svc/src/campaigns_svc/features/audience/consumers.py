"""Follows contacts, accounts and consents."""

from collections.abc import Callable, Sequence
from typing import Any

from crm_contracts.contacts import Account, Consent, Contact
from crm_contracts.envelope import Event
from crm_contracts.registry import ACCOUNT, CONSENT, CONTACT
from crm_kit.db.session import WriteSession
from crm_kit.inbox import Consumer, Projection, newest

from campaigns_svc.features.audience import repository
from campaigns_svc.features.audience.models import AccountCopyRow, ConsentCopyRow, ContactCopyRow
from campaigns_svc.features.audience.rules import account_profile, contact_profile, primary_email

Copy = dict[str, Any]


def _contact(event: Event) -> Copy:
    contact = Contact.model_validate(event.entity)
    return {
        "email": primary_email(contact),
        "language": contact.language,
        "account_id": contact.account_id,
        "archived": contact.archived_at is not None,
        "profile": contact_profile(contact),
        "do_not_contact": contact.do_not_contact,
        "restricted": contact.restricted,
    }


def _account(event: Event) -> Copy:
    return {"profile": account_profile(Account.model_validate(event.entity))}


def _consent(event: Event) -> Copy:
    consent = Consent.model_validate(event.entity)
    return consent.model_dump(include={"contact_id", "channel", "purpose", "status", "at", "number", "expires_at"})


def _copies(events: Sequence[Event], entity: str, read: Callable[[Event], Copy], empty: Copy) -> list[Copy]:
    return [
        {
            "id": event.subject,
            "version": event.sequence,
            "deleted": event.deleted,
            **(empty if event.deleted else read(event)),
        }
        for event in newest(event for event in events if event.entity_type == entity)
    ]


async def follow_audience(session: WriteSession, events: Sequence[Event]) -> None:
    """Nothing of a person stays in the copy of a deleted contact but the id."""
    profile: Copy = {"profile": {}}
    nobody: Copy = {**profile, **dict.fromkeys(("archived", "do_not_contact", "restricted"), False)}
    await repository.store(session, ContactCopyRow, _copies(events, CONTACT.entity, _contact, nobody))
    await repository.store(session, AccountCopyRow, _copies(events, ACCOUNT.entity, _account, profile))
    await repository.store(session, ConsentCopyRow, _copies(events, CONSENT.entity, _consent, {}))


AUDIENCE = Consumer(
    name="campaigns.contacts",
    topics=(CONTACT, ACCOUNT, CONSENT),
    handle=follow_audience,
    order="pass",
    gather_seconds=0.1,
    projection=Projection(tables=("contact_copy", "account_copy", "consent_copy")),
)
