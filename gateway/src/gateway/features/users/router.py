"""Users over HTTP."""

from crm_kit.resources import resource_router

from gateway.features.users.resource import USERS

router = resource_router(USERS)
