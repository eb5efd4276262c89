"""Messages over HTTP: read, list, search."""

from crm_kit.resources import resource_router

from campaigns_svc.features.messages.resource import MESSAGES

router = resource_router(MESSAGES)
