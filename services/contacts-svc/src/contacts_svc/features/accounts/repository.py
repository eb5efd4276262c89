"""Every statement about accounts beyond those that all resources have."""

from collections.abc import Sequence

from crm_kit.db.locks import lock_keys
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from sqlalchemy import ColumnElement, select

from contacts_svc.features.accounts.models import AccountRow

_c = columns(AccountRow)


async def account_exists(session: ReadSession, account_id: str) -> bool:
    return await session.scalar(select(_c.id).where(_c.id == account_id)) is not None


async def lock_external_keys(session: WriteSession, keys: Sequence[str]) -> None:
    """Until the transaction ends nobody else gives these ids to an account."""
    await lock_keys(session, "account.external", keys)


async def lock_domain(session: WriteSession, domain: str) -> None:
    """So that two upserts with one domain cannot both find nobody."""
    await lock_keys(session, "account.domain", [domain])


async def ids_with_domain(session: ReadSession, domain: str) -> Sequence[str]:
    return await _ids(session, _c.domain == domain)


async def ids_with_external_key(session: ReadSession, keys: Sequence[str]) -> Sequence[str]:
    return await _ids(session, _c.external_keys.overlap(list(keys)))


async def _ids(session: ReadSession, condition: ColumnElement[bool]) -> Sequence[str]:
    return (await session.scalars(select(_c.id).where(condition).order_by(_c.id).limit(20))).all()
