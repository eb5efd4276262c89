"""Identity providers: whose tokens sign people in to a tenant, and whom they make of them."""

from crm_kit.manifest import Feature

from gateway.features.identity_providers.router import router

FEATURE = Feature(router=router)
