"""Preferences: a page behind a signed link, on which a person grants and withdraws with the same ease."""

from crm_kit.manifest import Feature

from contacts_svc.features.preferences.router import router

FEATURE = Feature(router=router)
