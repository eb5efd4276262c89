"""Retention rules: after so many days contacts and activities are erased, archived or deleted, unless something holds them."""

from crm_kit.manifest import Feature

from contacts_svc.features.retention_rules.consumers import LAST_ACTIVITY
from contacts_svc.features.retention_rules.router import router
from contacts_svc.features.retention_rules.timers import timers

FEATURE = Feature(router=router, consumers=(LAST_ACTIVITY,), timers=timers)
