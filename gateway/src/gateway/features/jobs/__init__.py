"""Jobs: work that goes on after the answer, in whichever service it is done."""

from crm_kit.manifest import Feature

from gateway.features.jobs.router import router
from gateway.upstream import open_services

FEATURE = Feature(router=router, lifespan=open_services)
