"""Claiming a contact out of its pool, giving it back, and what happens when nobody does anything with it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from crm_contracts.contacts import Contact
from crm_contracts.pools import PoolMoveKind
from crm_contracts.types import format_timestamp
from crm_kit import context
from crm_kit.db.session import WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.http.route import require
from crm_kit.resources import access
from crm_kit.timers import cancel_timers

from contacts_svc.features.assignment.repository import standing_territories
from contacts_svc.features.assignment.rules import follow
from contacts_svc.features.claims import repository
from contacts_svc.features.claims.errors import (
    AlreadyClaimed,
    ClaimedLately,
    ClaimLimitReached,
    ClaimOfArchived,
    HoldLimitReached,
    NotClaimed,
    NotInPool,
    PoolOfOthers,
)
from contacts_svc.features.claims.schemas import ClaimWrite, ReleaseWrite
from contacts_svc.features.contacts.events import CONTACT_EVENTS
from contacts_svc.features.contacts.models import ContactRow
from contacts_svc.features.contacts.repository import FIELDS, contact_exists
from contacts_svc.features.contacts.resource import CONTACTS
from contacts_svc.features.declaring.repository import declared_for
from contacts_svc.features.pooling.models import PoolRow
from contacts_svc.features.pooling.repository import hold_pool, pools_by_id
from contacts_svc.features.pooling.rules import (
    A_DAY,
    RETURN,
    claimable_at,
    claiming_team,
    note,
    put_off,
    return_time,
)
from contacts_svc.features.pooling.usecases import held_pool, set_return

_CUSTOM_FIELDS = declared_for("contacts")
_TERRITORIES = standing_territories("contacts", ContactRow, FIELDS)
_IN_A_MOMENT: Final = timedelta(seconds=1)


def claiming_user(data: ClaimWrite, caller: Principal) -> str:
    """Raises ValidationFailed where a key without a user names none, and Forbidden for who may not give to others."""
    own = caller.rights.user_id if caller.rights is not None else None
    if data.user_id is None:
        if own is None:
            told = Text("This key acts for no user: say for whom", "该密钥不代表任何用户：请指定 user_id")
            raise ValidationFailed(told, errors=[FieldError("/user_id", "required", told)])
        return own
    if data.user_id != own:
        require(caller, "contacts:assign")
    return data.user_id


async def lock_to_claim(session: WriteSession, contact_id: str, user_id: str) -> ContactRow:
    """Raises NotFound, and AlreadyClaimed where who might have claimed it came too late: then it is out of their sight."""
    row = await repository.lock_contact(session, contact_id)
    if row is None:
        raise CONTACTS.not_found(contact_id)
    if not await CONTACTS.seen(session, [row]):
        pool = await hold_pool(session, row.pool_id) if row.owner_id is not None and row.pool_id is not None else None
        if pool is None or not await _is_of(session, pool, user_id):
            raise CONTACTS.not_found(contact_id)
        raise AlreadyClaimed
    return row


async def claim_contact(session: WriteSession, row: ContactRow, user_id: str, caller: Principal) -> None:
    """The contact is the user's from now on, and their team's. `row` was locked for it, so that of several one has it.

    Raises NotInPool, AlreadyClaimed, ClaimOfArchived, PoolOfOthers, ClaimedLately, ClaimLimitReached, HoldLimitReached.
    """
    if row.pool_id is None:
        raise NotInPool
    if row.owner_id is not None:
        raise AlreadyClaimed
    if row.archived_at is not None:
        raise ClaimOfArchived
    pool = await held_pool(session, row.pool_id)
    try:
        team_id = claiming_team(pool.team_ids, await repository.teams_of(session, user_id))
    except LookupError:
        raise PoolOfOthers(members={"team_ids": pool.team_ids}) from None
    before = CONTACT_EVENTS.snapshot(row)
    await _check_limits(session, pool, before, user_id)
    now = await session.now()
    row.owner_id, row.team_id = user_id, team_id
    row.returns_at = return_time(pool.return_after_days, now)
    note(row, "claimed", user_id, None, now, caller.subject)
    await repository.add_claim(session, pool.id, user_id, row.id, now)
    await set_return(session, row)
    await _write(session, row, before, "claimed", now)
    await CONTACTS.seen(session, [row])  # it is shown as who has it sees it


async def _check_limits(session: WriteSession, pool: PoolRow, contact: Contact, user_id: str) -> None:
    await repository.lock_claims(session, pool.id, user_id)
    now = await session.now()
    again = claimable_at(contact.pool_history, pool.id, user_id, pool.reclaim_after_days)
    if again is not None and again > now:
        raise ClaimedLately(members={"again_at": format_timestamp(again)})
    if pool.hold_limit is not None:
        held = await repository.count_held(session, pool.id, user_id)
        if held >= pool.hold_limit:
            raise HoldLimitReached(members={"hold_limit": pool.hold_limit, "held": held})
    if pool.claim_limit_per_day is not None:
        oldest = await repository.claim_before(session, pool.id, user_id, pool.claim_limit_per_day, now)
        if oldest is not None:
            again_at = format_timestamp(oldest + A_DAY)
            raise ClaimLimitReached(members={"claim_limit_per_day": pool.claim_limit_per_day, "again_at": again_at})


async def _is_of(session: WriteSession, pool: PoolRow, user_id: str) -> bool:
    try:
        claiming_team(pool.team_ids, await repository.teams_of(session, user_id))
    except LookupError:
        return False
    return True


async def release_contact(session: WriteSession, row: ContactRow, data: ReleaseWrite, caller: Principal) -> None:
    """Whoever has it gives it back; who may assign it does so for them. It may go to another pool than it came from.

    Raises NotClaimed, NotInPool, Forbidden, ValidationFailed.
    """
    sights = session.sights
    if row.owner_id is None:
        raise NotClaimed
    is_theirs = sights is None or row.owner_id == sights.rights.user_id
    if not is_theirs and row.id not in await access.look_at(session, CONTACTS, [row.id], "assign"):
        raise access.forbidden(f"{CONTACTS.permission}:assign")
    pool_id = data.pool_id or row.pool_id
    if pool_id is None:
        raise NotInPool
    pool = await held_pool(session, pool_id)
    before, now = CONTACT_EVENTS.snapshot(row), await session.now()
    row.pool_id = pool.id
    await _give_back(session, row, before, "released", data.reason, caller.subject, now)


async def return_if_idle(session: WriteSession, contact_id: str) -> datetime | None:
    """Gives a contact back with which nothing was done for as long as its pool says, and others that are due with it.

    When to look again; None for never.
    """
    row = await repository.lock_contact(session, contact_id, wait=False)
    now = await session.now()
    if row is None:  # who has locked it may wait for the timer that this runs in, or gives it back just now
        return now + _IN_A_MOMENT if await contact_exists(session, contact_id) else None
    if row.returns_at is None or row.returns_at > now:
        return row.returns_at
    rows = [row, *await repository.lock_due(session, contact_id, now)]
    given_back = await _return_all(session, rows, now)
    # Their timers: nobody waits for two of them crosswise, since who has a timer and not its contact has given up above.
    await cancel_timers(session, RETURN, given_back - {contact_id})
    return row.returns_at


async def _return_all(session: WriteSession, rows: Sequence[ContactRow], now: datetime) -> set[str]:
    """Which of them went back; the others have been worked with since, and their returns are put off."""
    active_at = await repository.last_activities(session, [row.id for row in rows], now)
    pools = await pools_by_id(session, {row.pool_id for row in rows if row.pool_id is not None})
    here = context.current()
    assert here is not None, "timers run in a context"
    await session.hold(_CUSTOM_FIELDS, _TERRITORIES)
    given_back: set[str] = set()
    async with session.gathered():
        for row in rows:
            assert row.pool_id is not None, "what is of no pool does not go back"
            before, days = CONTACT_EVENTS.snapshot(row), pools[row.pool_id].return_after_days
            # Looked at anew: an activity's event may be under way, and the pool may give more days than it did.
            last = max([*(move.at for move in before.pool_history[-1:]), active_at.get(row.id, row.created_at)])
            row.returns_at = put_off(row.returns_at, days, last) if days is not None else None
            if row.returns_at is not None and row.returns_at <= now:
                await _give_back(session, row, before, "returned", None, str(here.actor_id), now)
                given_back.add(row.id)
            else:
                await CONTACT_EVENTS.updated(session, row, before)
    return given_back


async def put_off_returns(session: WriteSession, active_at: Mapping[str, datetime]) -> None:
    """`active_at`: when something was done with a contact, by id. Events may come twice or late: a return is only put off."""
    rows = await repository.lock_held(session, active_at.keys())
    pools = await pools_by_id(session, {row.pool_id for row in rows if row.pool_id is not None})
    for row in rows:
        pool = pools.get(row.pool_id or "")
        days = pool.return_after_days if pool is not None else None
        before = CONTACT_EVENTS.snapshot(row)
        row.returns_at = put_off(row.returns_at, days, active_at[row.id])
        await CONTACT_EVENTS.updated(session, row, before)


async def _give_back(
    session: WriteSession,
    row: ContactRow,
    before: Contact,
    kind: PoolMoveKind,
    reason: str | None,
    actor_id: str,
    now: datetime,
) -> None:
    row.owner_id, row.team_id, row.returns_at = None, None, None
    note(row, kind, before.owner_id, reason, now, actor_id)
    await _write(session, row, before, kind, now)


async def _write(session: WriteSession, row: ContactRow, before: Contact, action: str, now: datetime) -> None:
    await session.hold(_CUSTOM_FIELDS, _TERRITORIES)
    follow(row, await session.standing(_TERRITORIES), now=now)
    await CONTACT_EVENTS.updated(session, row, before, action=action)
