"""Who holds a key: an address, a number, an id of another system."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import ARRAY, Column, Table

from crm_kit.db.locks import lock_keys
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql

_MANY: Final = 5


class KeyHolders:
    """Who holds the keys of a space, each locked and looked up once in a transaction.

    `column`: a row's one key, or the array of all that it holds.
    """

    def __init__(self, space: str, column: "Column[Any]") -> None:
        self._space = space
        self._column = column

    async def of(self, session: WriteSession, keys: Iterable[str]) -> Mapping[str, Sequence[str]]:
        """The ids that hold each key, in order; every key is there. Until the transaction ends nobody else takes one."""
        wanted = list(dict.fromkeys(keys))
        unknown = [key for key in wanted if not session.knows((self._space, key))]
        if unknown:
            if len(unknown) > _MANY:
                await session.plan_anew()
            await lock_keys(session, self._space, unknown)
            for key, ids in (await holders_of(session, self._column, unknown)).items():
                session.note((self._space, key), tuple(ids))
        return {key: session.noted((self._space, key)) for key in wanted}

    def assume(self, session: WriteSession, key: str, holder: str) -> None:
        """One more holder of a key, who is not written."""
        known = session.noted((self._space, key)) if session.knows((self._space, key)) else ()
        session.note((self._space, key), (*known, holder))

    def moved(self, session: WriteSession, holder: str, before: Iterable[str], after: Iterable[str]) -> None:
        """To be told by whoever writes: what was looked up before in this transaction is so no more."""
        old, new = set(before), set(after)
        for key in old ^ new:
            place = (self._space, key)
            if session.knows(place):
                others = [id_ for id_ in session.noted(place) if id_ != holder]
                session.note(place, tuple(sorted([*others, holder] if key in new else others)))


async def holders_of(session: ReadSession, column: "Column[Any]", keys: Sequence[str]) -> Mapping[str, list[str]]:
    """The ids of the rows that hold each key, in order; every key is there. One round trip, through the column's index.

    Each key is looked up by itself: with all of them in one array PostgreSQL guesses that half of the table holds one,
    and reads it.
    """
    found: dict[str, list[str]] = {key: [] for key in keys}
    if found:
        assert isinstance(column.table, Table)
        is_array = isinstance(column.type, ARRAY)
        for row in await session.fetch(_holders(column.table.name, column.name, is_array), {"keys": list(found)}):
            found[row["key"]].append(row["id"])
    return found


@cache
def _holders(table: str, column: str, is_array: bool) -> Sql:
    held = f"{column} @> array[sought.key]" if is_array else f"{column} = sought.key"
    return Sql(
        "select sought.key, found.id from unnest(cast(:keys as text[])) as sought(key) cross join lateral"  # noqa: S608  # names of our own
        # OFFSET keeps it a look-up for each key, whatever PostgreSQL takes a tenant's size to be.
        f" (select id from {table} where {held} offset 0) as found order by found.id"
    )
