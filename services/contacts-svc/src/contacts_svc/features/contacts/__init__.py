"""Contacts: people."""

from crm_kit.manifest import Feature

from contacts_svc.features.contacts.router import router

FEATURE = Feature(router=router)
