"""Identity providers over HTTP."""

from crm_kit.resources import resource_router

from gateway.features.identity_providers.resource import IDENTITY_PROVIDERS

router = resource_router(IDENTITY_PROVIDERS)
