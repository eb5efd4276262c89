"""May somebody do something to a record, and why."""

from crm_kit.manifest import Feature

from gateway.features.access_check.router import router

FEATURE = Feature(router=router)
