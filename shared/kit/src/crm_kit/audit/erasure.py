"""Erasing a person from the audit log without breaking its chain."""

from collections.abc import Sequence

from sqlalchemy import text

from crm_kit.audit.entries import Entry
from crm_kit.audit.writing import record
from crm_kit.db.session import WriteSession

_ERASE = text("select audit_erase(cast(:entity_ids as text[]))")

ERASED = "erased"


async def erase_payloads(session: WriteSession, resource: str, entity_ids: Sequence[str]) -> int:
    """Removes the values, before and after, from all entries of these entities; how many entries lost theirs.

    Who did what and when stays, and so does each entry's digest of its values, salted with bytes that go with them: the
    chain holds, and the values cannot be guessed. One entry for each entity tells of the erasure; without it the missing
    values are a fault to `audit verify`. Only of the session's tenant.
    """
    erased = int(await session.scalar(_ERASE, {"entity_ids": list(entity_ids)}))
    await record(session, [Entry(resource, ERASED, entity_id) for entity_id in entity_ids])
    return erased
