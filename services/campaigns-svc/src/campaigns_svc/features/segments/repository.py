"""Every statement about segments beyond those that all resources have."""

from collections.abc import Sequence

from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from sqlalchemy import select

from campaigns_svc.features.segments.models import SegmentMemberRow, SegmentRow

_member = columns(SegmentMemberRow)


async def segment_exists(session: ReadSession, segment_id: str) -> bool:
    c = columns(SegmentRow)
    return await session.scalar(select(c.id).where(c.id == segment_id)) is not None


async def keep_segment(session: WriteSession, segment_id: str) -> bool:
    """Whether it exists; then nobody deletes it before this transaction ends."""
    c = columns(SegmentRow)
    return (
        await session.scalar(select(c.id).where(c.id == segment_id).with_for_update(key_share=True, read=True))
        is not None
    )


async def lock_segment(session: WriteSession, segment_id: str) -> SegmentRow | None:
    statement = select(SegmentRow).where(columns(SegmentRow).id == segment_id).with_for_update()
    row: SegmentRow | None = await session.scalar(statement.execution_options(populate_existing=True))
    return row


async def members_among(session: ReadSession, segment_id: str, contact_ids: Sequence[str]) -> set[str]:
    """Those of the contacts that are members."""
    statement = select(_member.contact_id).where(_member.segment_id == segment_id, _member.contact_id.in_(contact_ids))
    return set((await session.scalars(statement)).all())


async def lock_member(session: WriteSession, segment_id: str, contact_id: str) -> SegmentMemberRow | None:
    statement = (
        select(SegmentMemberRow)
        .where(_member.segment_id == segment_id, _member.contact_id == contact_id)
        .with_for_update()
    )
    row: SegmentMemberRow | None = await session.scalar(statement)
    return row


async def lock_members(session: WriteSession, segment_id: str, limit: int) -> Sequence[SegmentMemberRow]:
    """Some members, the first by id."""
    statement = (
        select(SegmentMemberRow)
        .where(_member.segment_id == segment_id)
        .order_by(_member.id)
        .limit(limit)
        .with_for_update()
    )
    return (await session.scalars(statement)).all()


async def members_after(session: ReadSession, segment_id: str, after: str, limit: int) -> Sequence[tuple[str, str]]:
    """(id, contact_id) of the next members by id."""
    statement = (
        select(_member.id, _member.contact_id)
        .where(_member.segment_id == segment_id, _member.id > after)
        .order_by(_member.id)
        .limit(limit)
    )
    return [(row.id, row.contact_id) for row in await session.execute(statement)]
