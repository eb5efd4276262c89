"""API keys: who may call, and with which scopes."""

from crm_kit.manifest import Feature

from gateway.features.api_keys.router import router

FEATURE = Feature(router=router)
