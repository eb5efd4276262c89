"""Purposes over HTTP."""

from crm_kit.resources import resource_router

from contacts_svc.features.consent_purposes.resource import CONSENT_PURPOSES

router = resource_router(CONSENT_PURPOSES)
