"""Date occurrences as a resource: they come by themselves, and go after a while."""

from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import Ownership, Through

from contacts_svc.features.accounts.models import ACCOUNT_OWNERSHIP
from contacts_svc.features.contacts.models import CONTACT_OWNERSHIP
from contacts_svc.features.date_occurrences.events import DATE_OCCURRENCE_EVENTS
from contacts_svc.features.date_occurrences.models import DateOccurrenceRow
from contacts_svc.features.date_occurrences.schemas import DateOccurrenceWrite

_c = columns(DateOccurrenceRow)

DATE_OCCURRENCES = Resource(
    singular="date_occurrence",
    plural="date-occurrences",
    label=Text("date occurrence", "到期日期"),
    row=DateOccurrenceRow,
    write=DateOccurrenceWrite,
    events=DATE_OCCURRENCE_EVENTS,
    fields=FieldSet(
        "DateOccurrence",
        [
            *base_fields(DateOccurrenceRow),
            Field("reminder_id", FieldType.ID, _c.reminder_id, nullable=False),
            Field("contact_id", FieldType.ID, _c.contact_id),
            Field("account_id", FieldType.ID, _c.account_id),
            Field("field", FieldType.TEXT, _c.field, nullable=False),
            Field("occurs_on", FieldType.DATE, _c.occurs_on, nullable=False),
            Field("due_at", FieldType.DATETIME, _c.due_at, nullable=False),
        ],
    ),
    ownership=Ownership(through=(Through(_c.contact_id, CONTACT_OWNERSHIP), Through(_c.account_id, ACCOUNT_OWNERSHIP))),
    create=None,
    update=None,
    delete=None,
)
