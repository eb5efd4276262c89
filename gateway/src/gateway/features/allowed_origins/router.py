"""Allowed origins over HTTP."""

from crm_kit.resources import resource_router

from gateway.features.allowed_origins.resource import ALLOWED_ORIGINS

router = resource_router(ALLOWED_ORIGINS)
