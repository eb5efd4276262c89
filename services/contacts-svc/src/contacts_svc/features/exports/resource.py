"""Exports as a resource."""

from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource
from crm_kit.rights import Ownership

from contacts_svc.features.exports import repository, usecases
from contacts_svc.features.exports.events import UNPUBLISHED
from contacts_svc.features.exports.models import ExportRow
from contacts_svc.features.exports.schemas import ExportWrite

_c = columns(ExportRow)

EXPORTS = Resource(
    singular="export",
    plural="exports",
    label=Text("export", "导出"),
    row=ExportRow,
    write=ExportWrite,
    events=UNPUBLISHED,
    fields=repository.FIELDS,
    ownership=Ownership(id=_c.id, owner=_c.requested_by),
    create=None,  # it takes the permission to export, and tells the file's name by the language of who asks
    update=None,
    delete=usecases.delete_export,
)
