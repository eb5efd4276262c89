"""Scans as a resource."""

from typing import get_args

from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.jobs import JobStatus
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import TENANT_WIDE

from contacts_svc.features.duplicate_scans import usecases
from contacts_svc.features.duplicate_scans.events import UNPUBLISHED
from contacts_svc.features.duplicate_scans.models import DuplicateScanRow
from contacts_svc.features.duplicate_scans.schemas import DuplicateScanWrite

_c = columns(DuplicateScanRow)

DUPLICATE_SCANS = Resource(
    singular="scan",
    plural="duplicate-scans",
    label=Text("scan for duplicates", "查重扫描"),
    row=DuplicateScanRow,
    write=DuplicateScanWrite,
    events=UNPUBLISHED,
    fields=FieldSet(
        "DuplicateScan",
        [
            *base_fields(DuplicateScanRow),
            Field("status", FieldType.CHOICE, _c.status, choices=get_args(JobStatus), nullable=False),
            Field("merge", FieldType.BOOLEAN, _c.merge, nullable=False),
        ],
    ),
    ownership=TENANT_WIDE,
    create=usecases.start_scan,
    update=None,
    delete=None,
)
