"""From the row to what others may see of it."""

from crm_contracts.dates import DateOccurrence
from crm_contracts.registry import DATE_OCCURRENCE
from crm_kit.outbox import EntityEvents

from contacts_svc.features.date_occurrences.models import DateOccurrenceRow


def snapshot(row: DateOccurrenceRow) -> DateOccurrence:
    return DateOccurrence.model_validate(row)


DATE_OCCURRENCE_EVENTS = EntityEvents(DATE_OCCURRENCE, DateOccurrenceRow, snapshot)
