"""Teams: a tree of those who work with a tenant's customers."""

from crm_kit.manifest import Feature

from gateway.features.teams.router import router

FEATURE = Feature(router=router)
