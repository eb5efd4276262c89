"""From the row to what clients may see of it. An export is work, not a fact about customers, and not published."""

from crm_contracts.registry import Topic
from crm_kit.outbox import EntityEvents

from contacts_svc.features.exports.models import ExportRow
from contacts_svc.features.exports.schemas import Export


def snapshot(row: ExportRow) -> Export:
    file = f"/v1/exports/{row.id}/file" if row.status == "succeeded" else None
    return Export.model_validate({**row.model_dump(), "file": file, "size": row.size if file else None})


UNPUBLISHED = EntityEvents(Topic("contacts", "export", Export, actions=()), ExportRow, snapshot)
