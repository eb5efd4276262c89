"""Contacts over HTTP."""

from crm_kit.resources import resource_router

from contacts_svc.features.contacts.resource import CONTACTS
from contacts_svc.features.duplicates.usecases import REFUSE_DUPLICATES

router = resource_router(CONTACTS, before_create=REFUSE_DUPLICATES)
