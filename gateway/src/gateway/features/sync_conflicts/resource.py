"""Sync conflicts as a resource, for reading."""

from typing import get_args

from crm_contracts.inbound import ConflictWinner
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import TENANT_WIDE

from gateway.features.sync_conflicts.events import SYNC_CONFLICT_EVENTS
from gateway.features.sync_conflicts.models import SyncConflictRow
from gateway.features.sync_conflicts.schemas import SyncConflictWrite

_c = columns(SyncConflictRow)

SYNC_CONFLICTS = Resource(
    singular="sync_conflict",
    plural="sync-conflicts",
    label=Text("sync conflict", "同步冲突"),
    row=SyncConflictRow,
    write=SyncConflictWrite,
    events=SYNC_CONFLICT_EVENTS,
    fields=FieldSet(
        "SyncConflict",
        [
            *base_fields(SyncConflictRow),
            Field("source_id", FieldType.ID, _c.source_id, nullable=False),
            Field("delivery_id", FieldType.ID, _c.delivery_id, nullable=False),
            Field("resource", FieldType.TEXT, _c.resource, nullable=False),
            Field("record_id", FieldType.ID, _c.record_id, nullable=False),
            Field("member", FieldType.TEXT, _c.member, nullable=False),
            Field("winner", FieldType.CHOICE, _c.winner, choices=get_args(ConflictWinner), nullable=False),
        ],
    ),
    ownership=TENANT_WIDE,
    create=None,
    update=None,
    delete=None,
)
