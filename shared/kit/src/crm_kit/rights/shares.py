"""The rows that say with whom records are shared. They repeat what the records' `shares` say, for look-up by grantee."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Table, insert

from crm_kit.db.session import WriteSession
from crm_kit.db.sql import Sql


async def write_shares(
    session: WriteSession, table: Table, shares: Mapping[str, Sequence[Mapping[str, Any]]], *, fresh: bool = False
) -> None:
    """Replaces the rows of these records, each given with its `shares`; `fresh`: none of them has any yet."""
    if not shares:
        return
    if not fresh:
        await session.fetch(_forget(table.name), {"ids": list(shares)})
    rows = [row for record_id, given in shares.items() for row in _rows(session.tenant_id, record_id, given)]
    if rows:
        await session.execute(insert(table), rows)


@cache
def _forget(table: str) -> Sql:
    return Sql(f"delete from {table} where record_id = any(cast(:ids as text[]))")  # noqa: S608  # a name of our own


def _rows(tenant_id: str, record_id: str, shares: Iterable[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    for share in shares:
        yield {
            "tenant_id": tenant_id,
            "grantee_id": share["user_id"] or share["team_id"],
            "record_id": record_id,
            "writes": share["access"] == "write",
            "until": share["until"],
        }
