"""Tenants: the companies that use this installation, each sealed off from the others."""

from crm_kit.manifest import Feature

from gateway.features.tenants.router import router

FEATURE = Feature(router=router)
