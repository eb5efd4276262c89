"""From the row to what others may see of it."""

from crm_contracts.inbound import SyncConflict
from crm_contracts.registry import SYNC_CONFLICT
from crm_kit.outbox import EntityEvents

from gateway.features.sync_conflicts.models import SyncConflictRow


def snapshot(row: SyncConflictRow) -> SyncConflict:
    return SyncConflict.model_validate(row)


SYNC_CONFLICT_EVENTS = EntityEvents(SYNC_CONFLICT, SyncConflictRow, snapshot)
