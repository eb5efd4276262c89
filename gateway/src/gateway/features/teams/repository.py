"""Every statement about teams beyond those that all resources have."""

from collections.abc import Collection

from crm_kit.db.locks import lock_keys
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from sqlalchemy import select

from gateway.features.teams.models import TeamRow

_c = columns(TeamRow)


async def lock_members(session: WriteSession, team_ids: Collection[str]) -> None:
    """Until the transaction ends nobody else deletes these teams or joins them."""
    await lock_keys(session, "team", team_ids)


async def existing(session: ReadSession, team_ids: Collection[str]) -> set[str]:
    return set(await session.scalars(select(_c.id).where(_c.id.in_(team_ids))))


async def has_teams_below(session: ReadSession, team_id: str) -> bool:
    return await session.scalar(select(_c.id).where(_c.parent_id == team_id).limit(1)) is not None
