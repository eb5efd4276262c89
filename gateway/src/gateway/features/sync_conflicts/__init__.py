"""Sync conflicts: what a source said of a record and what stood there, where only one of them could be heard."""

from crm_kit.manifest import Feature

from gateway.features.sync_conflicts.router import router

FEATURE = Feature(router=router)
