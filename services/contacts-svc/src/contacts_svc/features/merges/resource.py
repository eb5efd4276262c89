"""Merges as a resource: made by merging contacts, and ended by undoing."""

from typing import get_args

from crm_contracts.contacts import MergeStatus
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import Ownership, Through

from contacts_svc.features.contacts.models import CONTACT_OWNERSHIP
from contacts_svc.features.merges.events import MERGE_EVENTS
from contacts_svc.features.merges.models import MergeRow
from contacts_svc.features.merges.schemas import MergeWrite

_c = columns(MergeRow)

MERGES = Resource(
    singular="merge",
    plural="merges",
    label=Text("merge", "合并记录"),
    row=MergeRow,
    write=MergeWrite,
    events=MERGE_EVENTS,
    fields=FieldSet(
        "Merge",
        [
            *base_fields(MergeRow),
            Field("into_id", FieldType.ID, _c.into_id, nullable=False),
            Field("from_id", FieldType.TEXT_LIST, _c.from_ids, value="from_ids"),
            Field("status", FieldType.CHOICE, _c.status, choices=get_args(MergeStatus), nullable=False),
        ],
    ),
    ownership=Ownership(through=(Through(_c.into_id, CONTACT_OWNERSHIP),)),
    create=None,
    update=None,
    delete=None,
)
