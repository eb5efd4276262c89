"""Accounts over HTTP."""

from crm_kit.resources import resource_router

from contacts_svc.features.accounts.resource import ACCOUNTS
from contacts_svc.features.field_history.router import add_history, history_beside

router = resource_router(ACCOUNTS, beside_read=history_beside(ACCOUNTS))
add_history(router)
