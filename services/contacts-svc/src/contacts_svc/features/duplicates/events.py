"""From the row to what clients may see of it. What a scan has found is no fact about customers, and not published."""

from crm_contracts.registry import Topic
from crm_kit.outbox import EntityEvents

from contacts_svc.features.duplicates.models import DuplicatePairRow
from contacts_svc.features.duplicates.schemas import DuplicatePair


def snapshot(row: DuplicatePairRow) -> DuplicatePair:
    members = {**row.model_dump(), "contact_ids": [row.older_id, row.newer_id], "score": round(row.score, 4)}
    return DuplicatePair.model_validate({name: members[name] for name in DuplicatePair.model_fields})


UNPUBLISHED = EntityEvents(Topic("contacts", "duplicate", DuplicatePair, actions=()), DuplicatePairRow, snapshot)
