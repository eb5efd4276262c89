"""Moved references: what refers to another contact since a merge, in all services."""

from crm_kit.manifest import Feature

from gateway.features.moved_references.router import router

FEATURE = Feature(router=router)
