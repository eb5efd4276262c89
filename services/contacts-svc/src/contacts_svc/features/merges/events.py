"""From the row to what others may see of it."""

from crm_contracts.contacts import Merge
from crm_contracts.registry import MERGE
from crm_kit.outbox import EntityEvents

from contacts_svc.features.merges.models import MergeRow


def snapshot(row: MergeRow) -> Merge:
    return Merge.model_validate(row)


MERGE_EVENTS = EntityEvents(MERGE, MergeRow, snapshot)
