"""From the rows to what others may see of them."""

from crm_contracts.campaigns import Segment, SegmentMember
from crm_contracts.registry import SEGMENT, SEGMENT_MEMBER
from crm_kit.outbox import EntityEvents

from campaigns_svc.features.segments.models import SegmentMemberRow, SegmentRow


def snapshot(row: SegmentRow) -> Segment:
    return Segment.model_validate(row)


def member_snapshot(row: SegmentMemberRow) -> SegmentMember:
    return SegmentMember.model_validate(row)


SEGMENT_EVENTS = EntityEvents(SEGMENT, SegmentRow, snapshot)
SEGMENT_MEMBER_EVENTS = EntityEvents(SEGMENT_MEMBER, SegmentMemberRow, member_snapshot)
