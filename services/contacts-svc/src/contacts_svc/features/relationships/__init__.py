"""Relationships: contacts' roles at accounts, and what contacts are to one another."""

from crm_kit.manifest import Feature

from contacts_svc.features.relationships.router import router
from contacts_svc.features.relationships.timers import timers

FEATURE = Feature(router=router, timers=timers)
