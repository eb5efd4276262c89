"""From the row to what clients may see of it. An import is work, not a fact about customers, and not published."""

from crm_contracts.registry import Topic
from crm_kit.outbox import EntityEvents

from contacts_svc.features.imports.models import ImportRow
from contacts_svc.features.imports.schemas import Import, ImportColumn


def snapshot(row: ImportRow) -> Import:
    columns = [ImportColumn(**column, target=row.mapping.get(column["name"])) for column in row.columns]
    return Import.model_validate({**row.model_dump(), "columns": columns})


UNPUBLISHED = EntityEvents(Topic("contacts", "import", Import, actions=()), ImportRow, snapshot)
