"""The lifecycle: which stages contacts and accounts go through, as the tenant has it."""

from crm_kit.manifest import Feature

from contacts_svc.features.lifecycle.router import router
from contacts_svc.features.lifecycle.timers import timers

FEATURE = Feature(router=router, timers=timers)
