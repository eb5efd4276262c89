"""Date reminders over HTTP."""

from crm_kit.resources import resource_router

from contacts_svc.features.date_reminders.resource import DATE_REMINDERS

router = resource_router(DATE_REMINDERS)
