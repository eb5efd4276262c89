"""Accounts as a resource."""

from collections.abc import Sequence

from crm_kit.db.session import ReadSession
from crm_kit.errors import Text
from crm_kit.resources import Digested, Resource, access
from crm_kit.resources.tree import ancestors_of

from contacts_svc.features.accounts import repository, usecases
from contacts_svc.features.accounts.events import ACCOUNT_EVENTS
from contacts_svc.features.accounts.models import ACCOUNT_OWNERSHIP, AccountRow
from contacts_svc.features.accounts.schemas import AccountWrite
from contacts_svc.features.declaring.repository import declared_for

ACCOUNTS = Resource(
    singular="account",
    plural="accounts",
    label=Text("account", "客户公司"),
    row=AccountRow,
    write=AccountWrite,
    events=ACCOUNT_EVENTS,
    fields=repository.FIELDS,
    ownership=ACCOUNT_OWNERSHIP,
    create=usecases.create_account,
    update=usecases.update_account,
    delete=usecases.delete_account,
    match=usecases.MATCHERS,
    custom=declared_for("accounts"),
    momentary=frozenset({"lifecycle_reason"}),
    left_out=repository.ARCHIVED,
    foresee=usecases.foresee,
    digests=Digested(("created_at", "updated_at")),
)


async def lineage(
    session: ReadSession, account: AccountRow, child_ids: Sequence[str]
) -> tuple[list[AccountRow], frozenset[str]]:
    """Of what the caller sees: the accounts above one, the topmost first, and which of its children have children."""
    rows = await repository.accounts_by_id(session, await ancestors_of(session, account))
    parents = await repository.parents_among(
        session, child_ids, await access.reached(session, ACCOUNTS, filter(None, [repository.FIELDS.get("parent_id")]))
    )
    return list(reversed(await ACCOUNTS.seen(session, rows))), parents
