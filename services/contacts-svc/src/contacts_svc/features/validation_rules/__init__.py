"""Validation rules: conditions that contacts and accounts must keep to, with the tenant's own messages."""

from crm_kit.manifest import Feature

from contacts_svc.features.validation_rules.router import router

FEATURE = Feature(router=router)
