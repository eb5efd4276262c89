"""Claims: contacts go out of their pools and back, by somebody's hand or by themselves."""

from crm_kit.manifest import Feature

from contacts_svc.features.claims.consumers import ACTIVITY_OF_HELD
from contacts_svc.features.claims.router import router
from contacts_svc.features.claims.timers import timers

FEATURE = Feature(router=router, consumers=(ACTIVITY_OF_HELD,), timers=timers)
