"""Every statement about contacts beyond those that all resources have."""

from collections.abc import Sequence

from crm_kit.db.locks import lock_keys
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from sqlalchemy import ColumnElement, select

from contacts_svc.features.contacts.models import ContactRow

_c = columns(ContactRow)
_MATCHES = 20


async def lock_external_keys(session: WriteSession, keys: Sequence[str]) -> None:
    """Until the transaction ends nobody else gives these ids to a contact."""
    await lock_keys(session, "contact.external", keys)


async def lock_email(session: WriteSession, key: str) -> None:
    """So that two upserts with one address cannot both find nobody."""
    await lock_keys(session, "contact.email", [key])


async def lock_phone(session: WriteSession, number: str) -> None:
    """As `lock_email`."""
    await lock_keys(session, "contact.phone", [number])


async def holder_of_external_key(session: ReadSession, keys: Sequence[str], except_id: str) -> tuple[str, str] | None:
    """Another contact that has one of the keys, and the key."""
    if not keys:
        return None
    rows = await session.execute(
        select(_c.id, _c.external_keys).where(_c.external_keys.overlap(list(keys)), _c.id != except_id).limit(1)
    )
    found = rows.one_or_none()
    return (found.id, next(key for key in keys if key in found.external_keys)) if found else None


async def ids_with_email(session: ReadSession, key: str) -> Sequence[str]:
    return await _ids(session, _c.email_keys.contains([key]))


async def ids_with_phone(session: ReadSession, number: str) -> Sequence[str]:
    return await _ids(session, _c.phone_numbers.contains([number]))


async def ids_with_external_key(session: ReadSession, keys: Sequence[str]) -> Sequence[str]:
    return await _ids(session, _c.external_keys.overlap(list(keys)))


async def _ids(session: ReadSession, condition: ColumnElement[bool]) -> Sequence[str]:
    statement = select(_c.id).where(condition).order_by(_c.id).limit(_MATCHES)
    return (await session.scalars(statement)).all()
