"""Contacts over HTTP."""

from crm_kit.resources import resource_router

from contacts_svc.features.contacts.resource import CONTACTS

router = resource_router(CONTACTS)
