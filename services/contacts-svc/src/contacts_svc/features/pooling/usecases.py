"""How a contact keeps in step with its pool, whoever changes it."""

from functools import partial
from typing import Protocol

from crm_contracts.contacts import Contact
from crm_kit.db.models import utc_now
from crm_kit.db.session import WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.timers import set_timer

from contacts_svc.features.pooling import repository
from contacts_svc.features.pooling.models import PoolRow
from contacts_svc.features.pooling.rules import RETURN, Pooled, note, put_off, return_time


class PooledRow(Pooled, Protocol):
    """With an id, by which its timer is known."""

    id: str


async def keep_in_step(session: WriteSession, row: PooledRow, before: Contact | None, caller: Principal) -> None:
    """After an ordinary change: who owns it now has it out of its pool, and what its owner does with it is activity.

    Raises ValidationFailed where there is no such pool.
    """
    if row.pool_id is None:
        row.returns_at = None
        return
    owner, pool_id = (before.owner_id, before.pool_id) if before is not None else (None, None)
    given = (row.pool_id, row.owner_id) != (pool_id, owner)
    if not given and (row.returns_at is None or caller.subject != row.owner_id):
        return
    pool = await held_pool(session, row.pool_id)
    now = utc_now()
    if not given:
        row.returns_at = put_off(row.returns_at, pool.return_after_days, now)
        return
    if before is not None and row.owner_id != owner:
        note(row, "assigned" if row.owner_id else "released", row.owner_id or owner, None, now, caller.subject)
    row.returns_at = return_time(pool.return_after_days, now) if row.owner_id is not None else None
    await set_return(session, row)


async def held_pool(session: WriteSession, pool_id: str) -> PoolRow:
    """Raises ValidationFailed where there is none."""
    # Once a transaction: a batch of a thousand asks for it a thousand times.
    pool = await session.once(("pool", pool_id), partial(repository.hold_pool, session, pool_id))
    if pool is None:
        told = Text("There is no such pool", "不存在该公海")
        raise ValidationFailed(told, errors=[FieldError("/pool_id", "not_found", told)])
    return pool


async def set_return(session: WriteSession, row: PooledRow) -> None:
    """A timer that is there already, from before it was claimed anew, looks at the contact when it comes due."""
    if row.returns_at is not None:
        await set_timer(session, RETURN, row.id, row.returns_at)
