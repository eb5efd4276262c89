"""Every statement about messages beyond those that all resources have."""

from collections.abc import Sequence
from typing import Final

from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from sqlalchemy import or_, select, text

from campaigns_svc.features.messages.models import MessageRow

_c = columns(MessageRow)

# In literals: PostgreSQL uses a partial index only where it can prove that the condition implies the index's.
_UNFINISHED = text("message.status in ('queued', 'sending')")

TELLS_OF_SOMEBODY: Final = or_(_c.address.is_not(None), _c.subject.is_not(None), _c.consent.is_not(None))
"""Messages with more than the contact's id."""


async def lock_message(session: WriteSession, message_id: str) -> MessageRow | None:
    statement = (
        select(MessageRow).where(_c.id == message_id).with_for_update().execution_options(populate_existing=True)
    )
    row: MessageRow | None = await session.scalar(statement)
    return row


async def contacts_with_message(session: ReadSession, campaign_id: str, contact_ids: Sequence[str]) -> set[str]:
    statement = select(_c.contact_id).where(_c.campaign_id == campaign_id, _c.contact_id.in_(contact_ids))
    return set((await session.scalars(statement)).all())


async def lock_queued(session: WriteSession, campaign_id: str, limit: int) -> Sequence[MessageRow]:
    """Some messages that wait; fewer than there are where others were just taken up."""
    statement = (
        select(MessageRow)
        .where(_c.campaign_id == campaign_id, _c.status == "queued", _UNFINISHED)
        .order_by(_c.id)
        .limit(limit)
        .with_for_update()
    )
    return (await session.scalars(statement)).all()


async def queued_after(session: ReadSession, campaign_id: str, after: str, limit: int) -> Sequence[str]:
    statement = (
        select(_c.id)
        .where(_c.campaign_id == campaign_id, _c.status == "queued", _c.id > after, _UNFINISHED)
        .order_by(_c.id)
        .limit(limit)
    )
    return (await session.scalars(statement)).all()


async def any_unfinished(session: ReadSession, campaign_id: str) -> bool:
    statement = select(_c.id).where(_c.campaign_id == campaign_id, _UNFINISHED).limit(1)
    return await session.scalar(statement) is not None
