"""Date occurrences: the dates that have come due, kept for a while."""

from crm_kit.manifest import Feature

from contacts_svc.features.date_occurrences.router import router

FEATURE = Feature(router=router)
