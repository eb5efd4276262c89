"""Every statement about unsubscribes."""

from datetime import datetime

from crm_kit.db.locks import lock_keys
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from sqlalchemy import func, select

from campaigns_svc.features.unsubscribes.models import UnsubscribeRow

_c = columns(UnsubscribeRow)


async def latest(session: ReadSession, contact_id: str, channel: str, purpose: str) -> datetime | None:
    """When the contact last unsubscribed from this."""
    found: datetime | None = await session.scalar(
        select(func.max(_c.at)).where(_c.contact_id == contact_id, _c.channel == channel, _c.purpose == purpose)
    )
    return found


async def latest_of_message(session: ReadSession, message_id: str) -> datetime | None:
    """When this message's link was last used."""
    found: datetime | None = await session.scalar(select(func.max(_c.at)).where(_c.message_id == message_id))
    return found


async def lock_message_link(session: WriteSession, message_id: str) -> None:
    """So that two clicks at once are one withdrawal."""
    await lock_keys(session, "unsubscribe", [message_id])
