"""Pools over HTTP."""

from crm_kit.resources import resource_router

from contacts_svc.features.pools.resource import POOLS

router = resource_router(POOLS)
