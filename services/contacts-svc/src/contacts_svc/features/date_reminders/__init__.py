"""Date reminders: birthdays, renewals and other dates are told of when they come due."""

from crm_kit.manifest import Feature

from contacts_svc.features.date_reminders.router import router
from contacts_svc.features.date_reminders.timers import timers

FEATURE = Feature(router=router, timers=timers)
