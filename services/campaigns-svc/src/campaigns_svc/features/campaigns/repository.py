"""Every statement about campaigns beyond those that all resources have."""

from collections.abc import Sequence
from typing import NamedTuple

from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from sqlalchemy import func, select

from campaigns_svc.features.campaigns.models import CampaignRow
from campaigns_svc.features.campaigns.rules import UNFINISHED
from campaigns_svc.features.messages.models import MessageRow

_c = columns(CampaignRow)


class Count(NamedTuple):
    status: str
    reason: str | None
    messages: int
    unsubscribed: int


async def campaign(session: ReadSession, campaign_id: str) -> CampaignRow | None:
    row: CampaignRow | None = await session.scalar(select(CampaignRow).where(_c.id == campaign_id))
    return row


async def lock_campaign(session: WriteSession, campaign_id: str) -> CampaignRow | None:
    row: CampaignRow | None = await session.scalar(select(CampaignRow).where(_c.id == campaign_id).with_for_update())
    return row


async def unfinished_campaign_of_segment(session: ReadSession, segment_id: str) -> str | None:
    statement = select(_c.id).where(_c.segment_id == segment_id, _c.status.in_(sorted(UNFINISHED))).limit(1)
    found: str | None = await session.scalar(statement)
    return found


async def message_counts(session: ReadSession, campaign_id: str) -> Sequence[Count]:
    m = columns(MessageRow)
    statement = (
        select(m.status, m.reason, func.count(), func.count(m.unsubscribed_at))
        .where(m.campaign_id == campaign_id)
        .group_by(m.status, m.reason)
    )
    return [Count._make(row) for row in await session.execute(statement)]
