"""From the row to what clients may see of it. A scan is work, not a fact about customers, and not published."""

from crm_contracts.registry import Topic
from crm_kit.outbox import EntityEvents

from contacts_svc.features.duplicate_scans.models import DuplicateScanRow
from contacts_svc.features.duplicate_scans.schemas import DuplicateScan


def snapshot(row: DuplicateScanRow) -> DuplicateScan:
    return DuplicateScan.model_validate(row)


UNPUBLISHED = EntityEvents(Topic("contacts", "duplicate_scan", DuplicateScan, actions=()), DuplicateScanRow, snapshot)
