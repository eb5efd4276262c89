"""Contacts over HTTP."""

from crm_kit.resources import resource_router

from contacts_svc.features.contacts.resource import CONTACTS
from contacts_svc.features.duplicates.usecases import REFUSE_DUPLICATES
from contacts_svc.features.field_history.router import add_history, history_beside

router = resource_router(CONTACTS, before_create=REFUSE_DUPLICATES, beside_read=history_beside(CONTACTS))
add_history(router)
