"""Every statement about the copies."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from sqlalchemy import inspect, select
from sqlalchemy.dialects.postgresql import Insert, insert

from campaigns_svc.features.audience.models import AccountCopyRow, ConsentCopyRow, ContactCopyRow, CopyRow

_consent = columns(ConsentCopyRow)


async def store(session: WriteSession, row: type[CopyRow], copies: Sequence[Mapping[str, Any]]) -> None:
    """Writes copies, each of another id; one that is not newer than what is stored changes nothing.

    What a copy does not name becomes null.
    """
    if copies:
        statement, empty = _upsert(row)
        await session.execute(statement, [{**empty, "tenant_id": session.tenant_id, **copy} for copy in copies])


@cache
def _upsert(row: type[CopyRow]) -> tuple[Insert, dict[str, None]]:
    names = list(columns(row).keys())
    fresh = insert(inspect(row).local_table)
    statement = fresh.on_conflict_do_update(
        index_elements=["tenant_id", "id"],
        set_={name: fresh.excluded[name] for name in names if name not in ("tenant_id", "id")},
        where=columns(row).version < fresh.excluded.version,
    )
    return statement, dict.fromkeys(names)


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
