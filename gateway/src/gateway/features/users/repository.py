"""Every statement about users beyond those that all resources have."""

from collections.abc import Collection, Sequence

from crm_kit.db.locks import lock_keys
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from sqlalchemy import select

from gateway.features.users.models import UserRow

_c = columns(UserRow)


async def lock_identities(session: WriteSession) -> None:
    """Until the transaction ends nobody else takes an address or an external id.

    One lock for a tenant's users, who are seldom written: two for each could be taken in two orders.
    """
    await lock_keys(session, "user", ["identities"])


async def with_email(session: ReadSession, email_key: str) -> str | None:
    """The user's id."""
    found: str | None = await session.scalar(select(_c.id).where(_c.email_key == email_key))
    return found


async def with_external_id(session: ReadSession, external_id: str) -> str | None:
    """The user's id."""
    found: str | None = await session.scalar(select(_c.id).where(_c.external_id == external_id))
    return found


async def has_users_with_role(session: ReadSession, role: str) -> bool:
    return await session.scalar(select(_c.id).where(_c.roles.contains([role])).limit(1)) is not None


async def active(session: ReadSession, user_id: str) -> UserRow | None:
    row: UserRow | None = await session.scalar(select(UserRow).where(_c.id == user_id, _c.status == "active"))
    return row


async def members_of(session: ReadSession, team_ids: Collection[str]) -> Sequence[str]:
    return (await session.scalars(select(_c.id).where(_c.team_ids.overlap(team_ids)))).all()


async def has_members(session: ReadSession, team_id: str) -> bool:
    return await session.scalar(select(_c.id).where(_c.team_ids.contains([team_id])).limit(1)) is not None
