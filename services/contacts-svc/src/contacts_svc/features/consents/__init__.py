"""Consents: an append-only ledger per contact, and the present state derived from it."""

from crm_kit.manifest import Feature

from contacts_svc.features.consents.consumers import UNSUBSCRIBES
from contacts_svc.features.consents.router import router
from contacts_svc.features.consents.timers import timers

FEATURE = Feature(router=router, consumers=(UNSUBSCRIBES,), timers=timers)
