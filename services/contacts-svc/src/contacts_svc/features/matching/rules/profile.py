"""A contact as it is compared. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol, Self

from contacts_svc.features.contacts.rules import email_key
from contacts_svc.features.matching.rules import text
from contacts_svc.features.matching.rules.addresses import Address, address_of
from contacts_svc.features.matching.rules.companies import company_of
from contacts_svc.features.matching.rules.names import Name, name_of


@dataclass(frozen=True, slots=True)
class Profile:
    """`verified`: which of the e-mail addresses are. `company`: its account's name without legal form, or empty."""

    name: Name | None = None
    emails: frozenset[str] = frozenset()
    verified: frozenset[str] = frozenset()
    phones: frozenset[str] = frozenset()
    birthday: date | None = None
    address: Address | None = None
    account_id: str | None = None
    company: str = ""
    wechat: str | None = None
    external_ids: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        *,
        first_name: str | None = None,
        last_name: str | None = None,
        full_name: str | None = None,
        emails: Iterable[Mapping[str, Any]] = (),
        phones: Iterable[Mapping[str, Any]] = (),
        birthday: date | None = None,
        address: Mapping[str, Any] | None = None,
        account_id: str | None = None,
        company: str | None = None,
        wechat: str | None = None,
        external_ids: Mapping[str, str] | None = None,
    ) -> Self:
        """From a contact's members; numbers are normalised already."""
        return cls(
            name_of(first_name, last_name, full_name),
            frozenset(email_key(email["address"]) for email in emails),
            frozenset(email_key(email["address"]) for email in emails if email.get("verified")),
            frozenset(phone["number"] for phone in phones),
            birthday,
            address_of(address),
            account_id,
            company_of(company),
            text.fold(wechat).strip() or None if wechat else None,
            external_ids or {},
        )


class ContactMembers(Protocol):
    """What a contact is compared by, of a row or an entity."""

    first_name: str | None
    last_name: str | None
    full_name: str | None
    emails: list[dict[str, Any]]
    phones: list[dict[str, Any]]
    birthday: date | None
    address: dict[str, Any] | None
    account_id: str | None
    wechat: str | None
    external_ids: dict[str, str]


def profile_of(contact: ContactMembers, company: str | None = None) -> Profile:
    """`company`: the name of its account, where it is at hand."""
    return Profile.of(
        first_name=contact.first_name,
        last_name=contact.last_name,
        full_name=contact.full_name,
        emails=contact.emails,
        phones=contact.phones,
        birthday=contact.birthday,
        address=contact.address,
        account_id=contact.account_id,
        company=company,
        wechat=contact.wechat,
        external_ids=contact.external_ids,
    )
