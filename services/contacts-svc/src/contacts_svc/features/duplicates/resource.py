"""Pairs that scans have found, as a resource; they are told to who reads what identifies both persons."""

from typing import get_args

from crm_contracts.types import Input
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import TENANT_WIDE

from contacts_svc.features.duplicates.events import UNPUBLISHED
from contacts_svc.features.duplicates.models import DuplicatePairRow
from contacts_svc.features.duplicates.schemas import PairStatus

_c = columns(DuplicatePairRow)

DUPLICATES = Resource(
    singular="duplicate",
    plural="duplicates",
    label=Text("pair of duplicates", "重复项"),
    row=DuplicatePairRow,
    write=Input,
    events=UNPUBLISHED,
    fields=FieldSet(
        "Duplicate",
        [
            *base_fields(DuplicatePairRow),
            Field("older_id", FieldType.ID, _c.older_id, nullable=False),
            Field("newer_id", FieldType.ID, _c.newer_id, nullable=False),
            Field("score", FieldType.NUMBER, _c.score, filterable=False, sortable=True, nullable=False),
            Field("may_merge", FieldType.BOOLEAN, _c.may_merge, nullable=False),
            Field("status", FieldType.CHOICE, _c.status, choices=get_args(PairStatus), nullable=False),
        ],
    ),
    ownership=TENANT_WIDE,
    create=None,
    update=None,
    delete=None,
    default_sort="-score",
)
