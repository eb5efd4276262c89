"""Archiving: a contact or an account that leaves lists and searches, keeps its id, and comes back."""

from crm_kit.manifest import Feature

from contacts_svc.features.archiving.router import router

FEATURE = Feature(router=router)
