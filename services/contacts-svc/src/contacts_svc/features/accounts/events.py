"""From the row to what others may see of it."""

from crm_contracts.contacts import Account
from crm_contracts.registry import ACCOUNT
from crm_kit.outbox import EntityEvents

from contacts_svc.features.accounts.models import AccountRow


def snapshot(row: AccountRow) -> Account:
    return Account.model_validate(row)


ACCOUNT_EVENTS = EntityEvents(ACCOUNT, AccountRow, snapshot)
