"""Whose array holds a key: an address, a number, an id of another system."""

from collections.abc import Mapping, Sequence
from functools import cache

from sqlalchemy import Column, Table

from crm_kit.db.session import ReadSession
from crm_kit.db.sql import Sql


async def holders_of(session: ReadSession, column: "Column[list[str]]", keys: Sequence[str]) -> Mapping[str, list[str]]:
    """The ids of the rows that hold each key, in order; every key is there. One round trip, through the column's index.

    Each key is looked up by itself: with all of them in one array PostgreSQL guesses that half of the table holds one,
    and reads it.
    """
    found: dict[str, list[str]] = {key: [] for key in keys}
    if found:
        assert isinstance(column.table, Table)
        for row in await session.fetch(_holders(column.table.name, column.name), {"keys": list(found)}):
            found[row["key"]].append(row["id"])
    return found


@cache
def _holders(table: str, column: str) -> Sql:
    return Sql(
        "select sought.key, found.id from unnest(cast(:keys as text[])) as sought(key) cross join lateral"  # noqa: S608  # names of our own
        # OFFSET keeps it a look-up for each key, whatever PostgreSQL takes a tenant's size to be.
        f" (select id from {table} where {column} @> array[sought.key] offset 0) as found order by found.id"
    )
