"""Every statement about the copies."""

from collections.abc import Mapping, Sequence
from typing import Any

from crm_kit.db.models import columns
from crm_kit.db.rows import store_newer
from crm_kit.db.session import ReadSession, WriteSession
from sqlalchemy import exists, inspect, or_, select

from campaigns_svc.features.audience.models import AccountCopyRow, ConsentCopyRow, ContactCopyRow, CopyRow

_consent = columns(ConsentCopyRow)


async def store(session: WriteSession, row: type[CopyRow], copies: Sequence[Mapping[str, Any]]) -> None:
    """Writes copies, each of another id; one that is not newer than what is stored changes nothing."""
    await store_newer(session, inspect(row).local_table, copies)


async def tells_of(session: ReadSession, contact_ids: Sequence[str]) -> bool:
    """Whether a copy still has something of these persons."""
    contact, consent = columns(ContactCopyRow), _consent
    kept = or_(
        exists().where(contact.id.in_(contact_ids), contact.deleted.is_(False)),
        exists().where(consent.contact_id.in_(contact_ids), consent.deleted.is_(False)),
    )
    return bool(await session.scalar(select(kept)))


async def contact(session: ReadSession, contact_id: str) -> ContactCopyRow | None:
    """Also one that was deleted."""
    row: ContactCopyRow | None = await session.scalar(
        select(ContactCopyRow).where(columns(ContactCopyRow).id == contact_id)
    )
    return row


async def account(session: ReadSession, account_id: str) -> AccountCopyRow | None:
    c = columns(AccountCopyRow)
    row: AccountCopyRow | None = await session.scalar(
        select(AccountCopyRow).where(c.id == account_id, c.deleted.is_(False))
    )
    return row


async def deciding_consent(session: ReadSession, contact_id: str, channel: str, purpose: str) -> ConsentCopyRow | None:
    """The ledger entry with the greatest (`at`, `number`)."""
    statement = (
        select(ConsentCopyRow)
        .where(_consent.contact_id == contact_id, _consent.channel == channel, _consent.purpose == purpose)
        .where(_consent.deleted.is_(False))
        .order_by(_consent.at.desc(), _consent.number.desc())
        .limit(1)
    )
    row: ConsentCopyRow | None = await session.scalar(statement)
    return row
