"""Webhook endpoints: who is told of which events, and how."""

from crm_kit.manifest import Feature

from gateway.features.webhook_endpoints.models import SEALED
from gateway.features.webhook_endpoints.router import router

FEATURE = Feature(router=router, sealed=(SEALED,))
