"""From the row to what others may see of it."""

from crm_contracts.dates import DateReminder
from crm_contracts.registry import DATE_REMINDER
from crm_kit.outbox import EntityEvents

from contacts_svc.features.date_reminders.models import DateReminderRow


def snapshot(row: DateReminderRow) -> DateReminder:
    return DateReminder.model_validate(row)


DATE_REMINDER_EVENTS = EntityEvents(DATE_REMINDER, DateReminderRow, snapshot)
