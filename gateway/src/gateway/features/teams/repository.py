"""Every statement about teams beyond those that all resources have."""

from collections.abc import Collection, Sequence

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


async def below(session: ReadSession, team_ids: Collection[str]) -> Sequence[str]:
    """The teams in the trees of these, themselves included."""
    down = select(_c.id).where(_c.id.in_(team_ids)).cte(recursive=True)
    # A union, not all of it: what is met twice is followed once, so that no circle could keep it going.
    return (await session.scalars(select(down.union(select(_c.id).where(_c.parent_id == down.c.id)).c.id))).all()


async def has_teams_below(session: ReadSession, team_id: str) -> bool:
    return await session.scalar(select(_c.id).where(_c.parent_id == team_id).limit(1)) is not None
