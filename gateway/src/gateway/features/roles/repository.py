"""Every statement about roles beyond those that all resources have."""

from collections.abc import Collection, Sequence

from crm_kit.db.locks import lock_keys
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from sqlalchemy import select

from gateway.features.roles.models import RoleRow

_c = columns(RoleRow)


async def lock_holders(session: WriteSession, role_ids: Collection[str]) -> None:
    """Until the transaction ends nobody else deletes these roles or gives them to somebody."""
    await lock_keys(session, "role", role_ids)


async def lock_names(session: WriteSession) -> None:
    await lock_keys(session, "role", ["names"])


async def with_name(session: ReadSession, name: str) -> str | None:
    """The role's id."""
    found: str | None = await session.scalar(select(_c.id).where(_c.name == name))
    return found


async def with_ids(session: ReadSession, role_ids: Collection[str]) -> Sequence[RoleRow]:
    if not role_ids:
        return []
    return (await session.scalars(select(RoleRow).where(_c.id.in_(role_ids)))).all()
