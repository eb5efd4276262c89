"""Users: the people who work with a tenant's customers."""

from crm_kit.manifest import Feature

from gateway.features.users.router import router

FEATURE = Feature(router=router)
