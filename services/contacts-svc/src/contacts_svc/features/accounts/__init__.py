"""Accounts: companies and other organisations."""

from crm_kit.manifest import Feature

from contacts_svc.features.accounts.router import router

FEATURE = Feature(router=router)
