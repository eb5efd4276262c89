"""Every statement about the ledger."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby

from crm_kit.db.locks import lock_keys
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on

from contacts_svc.features.consents.models import ConsentRow

_c = columns(ConsentRow)


async def next_number(session: WriteSession, contact_id: str) -> int:
    """The position of the next entry; locks the contact's ledger until the transaction ends."""
    await lock_keys(session, "consent", [contact_id])
    last = await session.scalar(select(func.max(_c.number)).where(_c.contact_id == contact_id))
    return (last or 0) + 1


async def newest_time(session: ReadSession, contact_id: str, channel: str, purpose: str) -> datetime | None:
    """The `at` of the entry that decides at present."""
    statement = select(func.max(_c.at)).where(_c.contact_id == contact_id, _c.channel == channel, _c.purpose == purpose)
    newest: datetime | None = await session.scalar(statement)
    return newest


async def by_origin(session: ReadSession, origin_id: str) -> ConsentRow | None:
    row: ConsentRow | None = await session.scalar(select(ConsentRow).where(_c.origin_id == origin_id))
    return row


async def by_id(session: ReadSession, consent_id: str) -> ConsentRow | None:
    row: ConsentRow | None = await session.scalar(select(ConsentRow).where(_c.id == consent_id))
    return row


async def deciding_entries(session: ReadSession, contact_id: str) -> Sequence[ConsentRow]:
    """The entry with the greatest (`at`, `number`) of each channel and purpose."""
    return (await deciding_entries_of(session, [contact_id])).get(contact_id, [])


async def deciding_entries_of(session: ReadSession, contact_ids: Iterable[str]) -> Mapping[str, Sequence[ConsentRow]]:
    """As `deciding_entries`, by contact; one that has none is not in it."""
    statement = (
        select(ConsentRow)
        .where(_c.contact_id.in_(list(contact_ids)))
        .ext(distinct_on(_c.contact_id, _c.channel, _c.purpose))
        .order_by(_c.contact_id, _c.channel, _c.purpose, _c.at.desc(), _c.number.desc())
    )
    # By code point, whatever the database's own collation is: the facts are compared with others that Python sorted.
    rows = sorted((await session.scalars(statement)).all(), key=lambda row: (row.contact_id, row.channel, row.purpose))
    return {contact_id: list(its) for contact_id, its in groupby(rows, key=lambda row: row.contact_id)}


async def newest_entries(session: ReadSession, contact_id: str, limit: int) -> Sequence[ConsentRow]:
    statement = select(ConsentRow).where(_c.contact_id == contact_id).order_by(_c.at.desc(), _c.id.desc()).limit(limit)
    return (await session.scalars(statement)).all()


async def of_origin(session: ReadSession, prefix: str) -> Sequence[ConsentRow]:
    """Entries that follow from what begins with `prefix`; locked."""
    statement = select(ConsentRow).where(_c.origin_id.startswith(prefix, autoescape=True)).order_by(_c.id)
    return (await session.scalars(statement.with_for_update())).all()


async def withdrawn_since(session: ReadSession, contact_id: str, since: datetime) -> Sequence[ConsentRow]:
    """Withdrawals that entered a contact's ledger since then."""
    those = (_c.contact_id == contact_id, _c.status == "withdrawn", _c.created_at >= since)
    return (await session.scalars(select(ConsentRow).where(*those).order_by(_c.number))).all()
