"""Every statement about claims, and about the contacts that they are of."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from crm_contracts.ids import prefix_of
from crm_kit.db.locks import lock_keys
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.rights.tables import TEAM_MEMBER
from sqlalchemy import delete, func, select

from contacts_svc.features.activities.models import ActivityRow
from contacts_svc.features.contacts.models import ContactRow
from contacts_svc.features.pooling.models import PoolClaimRow
from contacts_svc.features.pooling.rules import A_DAY, BATCH

_contact, _claim, _activity = columns(ContactRow), columns(PoolClaimRow), columns(ActivityRow)


async def lock_contact(session: WriteSession, contact_id: str, *, wait: bool = True) -> ContactRow | None:
    """The contact, as it is now; None where there is none, or, without waiting, where somebody else has locked it."""
    wanted = contact_id if prefix_of(contact_id) else ""
    statement = select(ContactRow).where(_contact.id == wanted).with_for_update(skip_locked=not wait)
    row: ContactRow | None = await session.scalar(statement.execution_options(populate_existing=True))
    return row


async def lock_held(session: WriteSession, contact_ids: Collection[str]) -> Sequence[ContactRow]:
    """Those of the contacts that go back into a pool at some time, locked in one order."""
    statement = select(ContactRow).where(_contact.id.in_(contact_ids), _contact.returns_at.is_not(None))
    statement = statement.order_by(_contact.id).with_for_update()
    return (await session.scalars(statement.execution_options(populate_existing=True))).all()


async def teams_of(session: ReadSession, user_id: str) -> Sequence[str]:
    found: Sequence[str] | None = await session.scalar(
        select(TEAM_MEMBER.c.team_ids).where(TEAM_MEMBER.c.id == user_id)
    )
    return found or ()


async def lock_claims(session: WriteSession, pool_id: str, user_id: str) -> None:
    """Until the transaction ends the user's other claims from the pool wait, so that each counts those before it."""
    await lock_keys(session, "pool_claims", [f"{pool_id}:{user_id}"])


async def count_held(session: ReadSession, pool_id: str, user_id: str) -> int:
    statement = select(func.count()).where(_contact.pool_id == pool_id, _contact.owner_id == user_id)
    return int(await session.scalar(statement))


async def claim_before(session: ReadSession, pool_id: str, user_id: str, count: int, now: datetime) -> datetime | None:
    """When the user made the claim that is so many back, if that is within a day."""
    mine = (_claim.pool_id == pool_id, _claim.user_id == user_id, _claim.at > now - A_DAY)
    statement = select(_claim.at).where(*mine).order_by(_claim.at.desc()).offset(count - 1).limit(1)
    found: datetime | None = await session.scalar(statement)
    return found


async def add_claim(session: WriteSession, pool_id: str, user_id: str, contact_id: str, now: datetime) -> None:
    """Notes the claim, and forgets those that no limit counts any more."""
    over = (_claim.pool_id == pool_id, _claim.user_id == user_id, _claim.at <= now - A_DAY)
    await session.execute(delete(PoolClaimRow).where(*over))
    row = PoolClaimRow(tenant_id=session.tenant_id, contact_id=contact_id, at=now, pool_id=pool_id, user_id=user_id)
    session.add(row)


async def lock_due(session: WriteSession, except_id: str, now: datetime) -> Sequence[ContactRow]:
    """More contacts that are to go back, those that nobody else has locked; some at a time."""
    due = (_contact.returns_at <= now, _contact.id != except_id)
    statement = select(ContactRow).where(*due).order_by(_contact.returns_at).limit(BATCH)
    statement = statement.with_for_update(skip_locked=True)
    return (await session.scalars(statement.execution_options(populate_existing=True))).all()


async def last_activities(session: ReadSession, contact_ids: Sequence[str], now: datetime) -> Mapping[str, datetime]:
    """By contact. Not of the future: what is planned is not done."""
    c = _activity
    statement = select(c.contact_id, func.max(c.at).label("at")).where(c.contact_id.in_(contact_ids), c.at <= now)
    return {row.contact_id: row.at for row in await session.execute(statement.group_by(c.contact_id))}
