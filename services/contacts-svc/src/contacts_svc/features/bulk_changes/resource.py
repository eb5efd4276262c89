"""Bulk changes as a resource."""

from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource
from crm_kit.rights import Ownership

from contacts_svc.features.bulk_changes import repository, usecases
from contacts_svc.features.bulk_changes.events import UNPUBLISHED
from contacts_svc.features.bulk_changes.models import BulkChangeRow
from contacts_svc.features.bulk_changes.schemas import BulkChangeWrite

_c = columns(BulkChangeRow)

BULK_CHANGES = Resource(
    singular="bulk_change",
    plural="bulk-changes",
    label=Text("bulk change", "批量变更"),
    row=BulkChangeRow,
    write=BulkChangeWrite,
    events=UNPUBLISHED,
    fields=repository.FIELDS,
    ownership=Ownership(id=_c.id, owner=_c.requested_by),
    create=None,  # what failed is told in the language of who asks
    update=None,
    delete=usecases.delete_bulk_change,
)
