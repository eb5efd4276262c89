"""Segments and their members as resources; members are written by their own routes only."""

from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import PartOf, Resource, base_fields
from crm_kit.rights import TENANT_WIDE

from campaigns_svc.features.segments import usecases
from campaigns_svc.features.segments.events import SEGMENT_EVENTS, SEGMENT_MEMBER_EVENTS
from campaigns_svc.features.segments.models import SegmentMemberRow, SegmentRow
from campaigns_svc.features.segments.schemas import MembersWrite, SegmentWrite

_segment = columns(SegmentRow)
_member = columns(SegmentMemberRow)

SEGMENTS = Resource(
    singular="segment",
    plural="segments",
    label=Text("segment", "细分"),
    row=SegmentRow,
    write=SegmentWrite,
    events=SEGMENT_EVENTS,
    fields=FieldSet(
        "Segment",
        [
            *base_fields(SegmentRow),
            Field("name", FieldType.TEXT, _segment.name, sortable=True, nullable=False),
            Field("member_count", FieldType.INTEGER, _segment.member_count, nullable=False),
        ],
    ),
    ownership=TENANT_WIDE,
    create=usecases.create_segment,
    update=usecases.update_segment,
    delete=usecases.delete_segment,
)

SEGMENT_MEMBERS = Resource(
    singular="segment_member",
    plural="segment_members",
    label=Text("member", "成员"),
    row=SegmentMemberRow,
    write=MembersWrite,
    events=SEGMENT_MEMBER_EVENTS,
    fields=FieldSet(
        "SegmentMember",
        [
            *base_fields(SegmentMemberRow),
            Field("contact_id", FieldType.ID, _member.contact_id, nullable=False),
        ],
    ),
    ownership=TENANT_WIDE,
    within=PartOf(SEGMENTS, _member.segment_id),
    create=None,
    update=None,
    delete=None,
)
