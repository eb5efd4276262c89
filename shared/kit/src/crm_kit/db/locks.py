"""Locks on things that have no row: a key that is about to be taken."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from crm_kit.db.sql import Sql

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crm_kit.db.session import WriteSession

# Whoever fills other tables of the same names (a rebuild) has locks of its own.
_LOCK = Sql(
    "select pg_advisory_xact_lock(k # hashtextextended(current_schema(), 0))"
    " from unnest(cast(:keys as bigint[])) as k order by k"
)
_TRY_LOCK = Sql("select pg_try_advisory_xact_lock(:key # hashtextextended(current_schema(), 0)) as locked")


def lock_number(tenant_id: str, space: str, key: str) -> int:
    """What PostgreSQL locks in place of a name; a function that locks it adds what is the schema's, as above."""
    return int.from_bytes(hashlib.sha256(f"{space}\0{tenant_id}\0{key}".encode()).digest()[:8], signed=True)


async def lock_keys(session: WriteSession, space: str, keys: Iterable[str]) -> None:
    """Locks names within a space for this tenant until the transaction ends, in one order so that none deadlock."""
    numbers = {lock_number(session.tenant_id, space, key) for key in keys}
    if numbers:
        await session.fetch(_LOCK, {"keys": sorted(numbers)})


async def try_lock_key(session: WriteSession, space: str, key: str) -> bool:
    """As `lock_keys`, of one name; False where somebody else has it, who is not waited for."""
    rows = await session.fetch(_TRY_LOCK, {"key": lock_number(session.tenant_id, space, key)})
    return bool(rows[0]["locked"])
