"""Transfers as a resource."""

from typing import get_args

from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import Ownership

from gateway.features.transfers import usecases
from gateway.features.transfers.events import UNPUBLISHED
from gateway.features.transfers.models import TransferRow
from gateway.features.transfers.schemas import TransferStatus, TransferWrite

_c = columns(TransferRow)

TRANSFERS = Resource(
    singular="transfer",
    plural="transfers",
    label=Text("transfer", "转移"),
    row=TransferRow,
    write=TransferWrite,
    events=UNPUBLISHED,
    fields=FieldSet(
        "Transfer",
        [
            *base_fields(TransferRow),
            Field("status", FieldType.CHOICE, _c.status, choices=get_args(TransferStatus), nullable=False),
            Field("from_user_id", FieldType.ID, _c.from_user_id),
            Field("requested_by", FieldType.ID, _c.requested_by, nullable=False),
        ],
    ),
    ownership=Ownership(id=_c.id, owner=_c.requested_by),
    create=usecases.create_transfer,
    update=None,
    delete=None,
)
