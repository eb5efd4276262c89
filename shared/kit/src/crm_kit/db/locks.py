"""Locks on things that have no row: a key that is about to be taken."""

import hashlib
from collections.abc import Iterable

from crm_kit.db.session import WriteSession
from crm_kit.db.sql import Sql

# Whoever fills other tables of the same names (a rebuild) has locks of its own.
_LOCK = Sql(
    "select pg_advisory_xact_lock(k # hashtextextended(current_schema(), 0))"
    " from unnest(cast(:keys as bigint[])) as k order by k"
)
_SHARE = Sql(
    "select pg_advisory_xact_lock_shared(k # hashtextextended(current_schema(), 0))"
    " from unnest(cast(:keys as bigint[])) as k order by k"
)


async def lock_keys(session: WriteSession, space: str, keys: Iterable[str]) -> None:
    """Locks names within a space for this tenant until the transaction ends, in one order so that none deadlock."""
    await _lock(session, _LOCK, space, keys)


async def share_keys(session: WriteSession, space: str, keys: Iterable[str]) -> None:
    """Until the transaction ends nobody locks these names by `lock_keys`; any number may share them."""
    await _lock(session, _SHARE, space, keys)


async def _lock(session: WriteSession, statement: Sql, space: str, keys: Iterable[str]) -> None:
    numbers = {
        int.from_bytes(hashlib.sha256(f"{space}\0{session.tenant_id}\0{key}".encode()).digest()[:8], signed=True)
        for key in keys
    }
    if numbers:
        await session.fetch(statement, {"keys": sorted(numbers)})
