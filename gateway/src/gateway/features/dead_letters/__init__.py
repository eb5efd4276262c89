"""Dead letters: what could be neither published nor applied, of all services and of the gateway's own view."""

from crm_kit.manifest import Feature

from gateway.features.dead_letters.router import router
from gateway.upstream import open_services

FEATURE = Feature(router=router, lifespan=open_services)
