"""From the row to what clients may see of it. A bulk change is work, not a fact about customers, and not published."""

from crm_contracts.registry import Topic
from crm_kit.outbox import EntityEvents

from contacts_svc.features.bulk_changes.models import BulkChangeRow
from contacts_svc.features.bulk_changes.schemas import BulkChange


def snapshot(row: BulkChangeRow) -> BulkChange:
    return BulkChange.model_validate(row)


UNPUBLISHED = EntityEvents(Topic("contacts", "bulk_change", BulkChange, actions=()), BulkChangeRow, snapshot)
