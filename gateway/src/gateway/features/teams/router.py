"""Teams over HTTP."""

from crm_kit.resources import resource_router

from gateway.features.teams.resource import TEAMS

router = resource_router(TEAMS)
