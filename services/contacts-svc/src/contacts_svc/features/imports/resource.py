"""Imports as a resource."""

from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource
from crm_kit.rights import Ownership

from contacts_svc.features.imports import repository, usecases
from contacts_svc.features.imports.events import UNPUBLISHED
from contacts_svc.features.imports.models import ImportRow
from contacts_svc.features.imports.schemas import ImportOptions

_c = columns(ImportRow)

IMPORTS = Resource(
    singular="import",
    plural="imports",
    label=Text("import", "导入"),
    row=ImportRow,
    write=ImportOptions,
    events=UNPUBLISHED,
    fields=repository.FIELDS,
    ownership=Ownership(id=_c.id, owner=_c.requested_by),
    create=None,  # a file comes as a form
    update=None,
    delete=usecases.delete_import,
)
