"""Accounts as a resource."""

from crm_kit.errors import Text
from crm_kit.resources import Resource

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
)
