"""Purposes of consent: what a person is asked, in which words and version, and on which channels."""

from crm_kit.manifest import Feature

from contacts_svc.features.consent_purposes.router import router

FEATURE = Feature(router=router)
