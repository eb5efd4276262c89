"""Pools: for contacts that nobody owns, with the limits by which they are claimed."""

from crm_kit.manifest import Feature

from contacts_svc.features.pools.router import router

FEATURE = Feature(router=router)
