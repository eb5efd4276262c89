"""What the rows of an import may be found by, and the company that a row names."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from crm_kit.db.holders import KeyHolders
from crm_kit.db.session import WriteSession
from crm_kit.errors import Text
from crm_kit.resources import Resource, access

from contacts_svc.features.accounts import repository as accounts
from contacts_svc.features.accounts.resource import ACCOUNTS
from contacts_svc.features.contacts import repository as contacts
from contacts_svc.features.contacts.resource import CONTACTS
from contacts_svc.features.external_ids.rules import external_keys
from contacts_svc.features.import_columns.rules import ImportResource
from contacts_svc.features.import_rows import repository
from contacts_svc.features.import_rows.errors import SeveralMatch
from contacts_svc.features.import_rows.rules import Json

PLANNED: Final = "row:"
"""Stands before a row's number where the id of a record would stand that a dry run has not created."""

RESOURCES: Final[Mapping[ImportResource, Resource[Any, Any, Any]]] = {"contacts": CONTACTS, "accounts": ACCOUNTS}
HOLDERS: Final[Mapping[ImportResource, Mapping[str, KeyHolders]]] = {
    "contacts": {"external_id": contacts.EXTERNAL_KEYS, "email": contacts.EMAILS, "phone": contacts.PHONES},
    "accounts": {"external_id": accounts.EXTERNAL_KEYS, "domain": accounts.DOMAINS, "name": accounts.NAMES},
}


def account_keys(reference: Json) -> Mapping[str, Sequence[str]]:
    """What an account is looked up by, the surest first."""
    return {
        "external_id": external_keys(reference.get("external_ids", {})),
        "domain": [reference["domain"]] if reference.get("domain") else [],
        "name": [reference["name"]] if reference.get("name") else [],
    }


async def find_account(session: WriteSession, reference: Json) -> str | None:
    """The account that is named, by the surest of what is said of it. Raises SeveralMatch."""
    for name, keys in account_keys(reference).items():
        if not keys:
            continue
        held = await HOLDERS["accounts"][name].of(session, keys)
        ids: Sequence[str] = sorted({id_ for each in held.values() for id_ in each})
        there = [id_ for id_ in ids if not id_.startswith(PLANNED)]
        if there:
            ids = await access.findable(session, ACCOUNTS, ACCOUNTS.fields.get(name), there)
        if len(ids) > 1:
            raise SeveralMatch(
                Text(f"Several accounts match by {name}.", f"按 {name} 匹配到多个客户公司。"),
                members={"matched_by": f"account.{name}", "candidates": list(ids[:20])},
            )
        if ids:
            return ids[0]
    return None


async def is_planned(session: WriteSession, import_id: str, reference: Json) -> bool:
    """Whether a row of the dry run would have created the account."""
    spelled = [f"accounts.{name}:{key}" for name, keys in account_keys(reference).items() for key in keys]
    return bool(await repository.planned(session, import_id, spelled))
