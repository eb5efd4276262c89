"""Relationships over HTTP."""

from crm_kit.resources import resource_router

from contacts_svc.features.relationships.resource import RELATIONSHIPS

router = resource_router(RELATIONSHIPS)
