"""Date reminders as a resource."""

from typing import get_args

from crm_contracts.dates import DatedResource, Repeats
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import TENANT_WIDE

from contacts_svc.features.date_reminders import usecases
from contacts_svc.features.date_reminders.events import DATE_REMINDER_EVENTS
from contacts_svc.features.date_reminders.models import DateReminderRow
from contacts_svc.features.date_reminders.schemas import DateReminderWrite

_c = columns(DateReminderRow)

DATE_REMINDERS = Resource(
    singular="date_reminder",
    plural="date-reminders",
    label=Text("date reminder", "日期提醒"),
    row=DateReminderRow,
    write=DateReminderWrite,
    events=DATE_REMINDER_EVENTS,
    fields=FieldSet(
        "DateReminder",
        [
            *base_fields(DateReminderRow),
            Field("name", FieldType.TEXT, _c.name, sortable=True, nullable=False),
            Field("resource", FieldType.CHOICE, _c.resource, choices=get_args(DatedResource), nullable=False),
            Field("field", FieldType.TEXT, _c.field, nullable=False),
            Field("repeats", FieldType.CHOICE, _c.repeats, choices=get_args(Repeats), nullable=False),
            Field("days_before", FieldType.INTEGER, _c.days_before, nullable=False),
            Field("active", FieldType.BOOLEAN, _c.active, nullable=False),
        ],
    ),
    ownership=TENANT_WIDE,
    create=usecases.create_reminder,
    update=usecases.update_reminder,
    delete=usecases.delete_reminder,
)
