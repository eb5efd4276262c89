"""Sync conflicts over HTTP."""

from crm_kit.resources import resource_router

from gateway.features.sync_conflicts.resource import SYNC_CONFLICTS

router = resource_router(SYNC_CONFLICTS)
