"""Accounts over HTTP."""

from crm_kit.resources import resource_router

from contacts_svc.features.accounts.resource import ACCOUNTS

router = resource_router(ACCOUNTS)
