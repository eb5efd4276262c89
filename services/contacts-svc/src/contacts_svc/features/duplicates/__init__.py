"""Duplicates: contacts that are probably one person, with the reasons."""

from crm_kit.manifest import Feature

from contacts_svc.features.duplicates.router import router

FEATURE = Feature(router=router)
