"""Roles: what users and keys may see and do."""

from crm_kit.manifest import Feature

from gateway.features.roles.router import router

FEATURE = Feature(router=router)
