"""Activities over HTTP."""

from crm_kit.resources import resource_router

from contacts_svc.features.activities.resource import ACTIVITIES

router = resource_router(ACTIVITIES)
