"""The audit log: who did what to what, of all services and of the gateway itself, read and exported as one."""

from crm_kit.manifest import Feature

from gateway.features.audit_log.router import router
from gateway.upstream import open_services

FEATURE = Feature(router=router, lifespan=open_services)
