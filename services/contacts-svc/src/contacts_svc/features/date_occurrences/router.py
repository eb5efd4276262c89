"""Date occurrences over HTTP."""

from crm_kit.resources import resource_router

from contacts_svc.features.date_occurrences.resource import DATE_OCCURRENCES

router = resource_router(DATE_OCCURRENCES)
