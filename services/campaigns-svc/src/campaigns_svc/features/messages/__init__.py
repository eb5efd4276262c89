"""Messages: each one sent, or not sent, to one contact; why, and by which consent."""

from crm_kit.manifest import Feature

from campaigns_svc.features.messages.router import router
from campaigns_svc.features.messages.timers import timers

FEATURE = Feature(router=router, timers=timers)
