"""The statements behind the facts; each has a bound."""

from collections.abc import Sequence

from crm_contracts.facts import MAX_CONTACTS, MAX_TIMELINE
from crm_kit.db.models import CodePointText, columns
from crm_kit.db.session import ReadSession
from sqlalchemy import ARRAY, func, literal, select, true

from campaigns_svc.features.messages.models import MessageRow
from campaigns_svc.features.segments.models import SegmentMemberRow


async def newest_messages(session: ReadSession, contact_ids: Sequence[str]) -> Sequence[MessageRow]:
    """By (`last_at`, `id`). The newest of each contact first, so that the index serves however many there are."""
    c = columns(MessageRow)
    array = literal(list(contact_ids), ARRAY(CodePointText))
    wanted = func.unnest(array).table_valued("contact_id").render_derived(name="wanted")
    newest = (
        select(c.id.label("message_id"))
        .where(c.contact_id == wanted.c.contact_id)
        .order_by(c.last_at.desc(), c.id.desc())
        .limit(MAX_TIMELINE)
        .lateral("newest")
    )
    ids = select(newest.c.message_id).select_from(wanted).join(newest, true())
    statement = select(MessageRow).where(c.id.in_(ids)).order_by(c.last_at.desc(), c.id.desc()).limit(MAX_TIMELINE)
    return (await session.scalars(statement)).all()


async def memberships(session: ReadSession, contact_ids: Sequence[str]) -> Sequence[SegmentMemberRow]:
    """By (`segment_id`, `id`)."""
    c = columns(SegmentMemberRow)
    statement = (
        select(SegmentMemberRow).where(c.contact_id.in_(contact_ids)).order_by(c.segment_id, c.id).limit(MAX_CONTACTS)
    )
    return (await session.scalars(statement)).all()
