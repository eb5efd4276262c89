"""What can be done with a segment and its members."""

from collections.abc import Sequence

from crm_contracts.campaigns import Segment
from crm_contracts.ids import SegmentId, SegmentMemberId, prefix_of
from crm_kit.db.session import WriteSession
from crm_kit.errors import NotFound, Text
from crm_kit.http.principal import Principal
from crm_kit.merging import current, current_all
from crm_kit.timers import set_timer

from campaigns_svc.features.campaigns.repository import unfinished_campaign_of_segment
from campaigns_svc.features.segments import repository
from campaigns_svc.features.segments.errors import SegmentInUse
from campaigns_svc.features.segments.events import SEGMENT_EVENTS, SEGMENT_MEMBER_EVENTS
from campaigns_svc.features.segments.models import SegmentMemberRow, SegmentRow
from campaigns_svc.features.segments.rules import BATCH, MEMBERS_REMOVAL
from campaigns_svc.features.segments.schemas import MembersAdded, SegmentWrite


async def create_segment(session: WriteSession, data: SegmentWrite, _caller: Principal) -> Segment:
    row = SegmentRow(id=SegmentId.new(), name=data.name, description=data.description)
    return await SEGMENT_EVENTS.created(session, row)


async def update_segment(session: WriteSession, row: SegmentRow, data: SegmentWrite, _caller: Principal) -> None:
    before = SEGMENT_EVENTS.snapshot(row)
    row.name, row.description = data.name, data.description
    await SEGMENT_EVENTS.updated(session, row, before)


async def delete_segment(session: WriteSession, row: SegmentRow, _caller: Principal) -> None:
    """The members go behind it, in batches: there may be any number. Raises SegmentInUse."""
    campaign_id = await unfinished_campaign_of_segment(session, row.id)
    if campaign_id is not None:
        raise SegmentInUse(
            Text(f"Cancel {campaign_id} first.", f"请先取消 {campaign_id}。"), members={"campaign_id": campaign_id}
        )
    await SEGMENT_EVENTS.deleted(session, row)
    await set_timer(session, MEMBERS_REMOVAL, row.id, await session.now())


async def add_members(session: WriteSession, row: SegmentRow, contact_ids: Sequence[str]) -> MembersAdded:
    """`row` must be locked. Contacts may be ahead of their events; those who are members already stay as they are."""
    wanted = list(dict.fromkeys(await current_all(session, contact_ids)))
    known = await repository.members_among(session, row.id, wanted)
    added = [
        SegmentMemberRow(id=SegmentMemberId.new(), segment_id=row.id, contact_id=contact_id)
        for contact_id in wanted
        if contact_id not in known
    ]
    before = SEGMENT_EVENTS.snapshot(row)
    await SEGMENT_MEMBER_EVENTS.created_all(session, added)
    row.member_count += len(added)
    await SEGMENT_EVENTS.updated(session, row, before)
    return MembersAdded(
        segment_id=SegmentId(row.id), added=len(added), already=len(known), member_count=row.member_count
    )


async def remove_member(session: WriteSession, row: SegmentRow, contact_id: str) -> None:
    """`row` must be locked. Raises NotFound where the contact is no member."""
    known = await current(session, contact_id)
    member = await repository.lock_member(session, row.id, known) if prefix_of(known) == "contact" else None
    if member is None:
        raise NotFound(Text("This contact is not a member.", "该联系人不是成员。"))
    before = SEGMENT_EVENTS.snapshot(row)
    await SEGMENT_MEMBER_EVENTS.deleted(session, member)
    row.member_count -= 1
    await SEGMENT_EVENTS.updated(session, row, before)


async def erase_member(session: WriteSession, member: SegmentMemberRow) -> None:
    """One of whom nothing is to be told any more."""
    row = await repository.lock_segment(session, member.segment_id)
    await SEGMENT_MEMBER_EVENTS.erased(session, member)
    if row is not None:  # its members go behind it
        before = SEGMENT_EVENTS.snapshot(row)
        row.member_count -= 1
        await SEGMENT_EVENTS.updated(session, row, before)


async def remove_members_of_deleted(session: WriteSession, segment_id: str) -> bool:
    """Removes a batch; whether there may be more."""
    members = await repository.lock_members(session, segment_id, BATCH)
    for member in members:
        await SEGMENT_MEMBER_EVENTS.deleted(session, member)
    return len(members) == BATCH
