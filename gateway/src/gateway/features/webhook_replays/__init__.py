"""Webhook replays: events that an endpoint is told once more, how far that has come, and that it be told no more of them."""

from crm_kit.manifest import Feature

from gateway.features.webhook_replays.router import router

FEATURE = Feature(router=router)
