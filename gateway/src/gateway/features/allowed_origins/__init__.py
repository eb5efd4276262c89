"""Allowed origins: from which web sites a browser may call the API for a tenant (CORS)."""

from crm_kit.manifest import Feature

from gateway.features.allowed_origins.router import router

FEATURE = Feature(router=router)
