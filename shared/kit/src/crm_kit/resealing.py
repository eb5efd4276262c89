"""Sealed texts in tables: under which secret they are, and sealing anew what is under another than the present one."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import text

from crm_kit.db.session import Database, ReadSession, WriteSession
from crm_kit.http.sealing import MARK_BYTES, Sealer, Unsealable, key_name
from crm_kit.keyring import Keyring

_PAGE: Final = 200
MOST_LOOKED_AT: Final = 10_000
"""Texts of a column that are not under the present secret and are counted; more are not counted to their end."""


@dataclass(frozen=True, slots=True)
class SealedTable:
    """`columns`: purpose by column; each text's place is the row's `key`. The system role reads and writes these columns.

    `remedy`: what is left to do where a secret is lost for good.
    """

    name: str
    columns: Mapping[str, str]
    remedy: str
    key: str = "id"


@dataclass(slots=True)
class Standing:
    """Texts of one table that are not under the present secret.

    `openable`: under a fallback, or from before there were marks. `lost`: how many by the key that is missing.
    """

    openable: int = 0
    lost: Counter[str] = field(default_factory=Counter)


async def standing_of(session: ReadSession, table: SealedTable, keyring: Keyring) -> Standing:
    """In the system role's session without tenant; looks at the marks alone, and opens only texts that have none."""
    found = Standing()
    for column, purpose in table.columns.items():
        sealer = Sealer(keyring, purpose)
        known = set(sealer.marks)
        statement = text(
            f"select {table.key} as place, {column} as sealed from {table.name}"  # noqa: S608  # names of our own
            f" where substring({column} from 1 for :length) <> :mark limit :most"
        )
        asked = {"length": MARK_BYTES, "mark": sealer.mark, "most": MOST_LOOKED_AT}
        for row in await session.execute(statement, asked):
            if row.sealed[:MARK_BYTES] in known or _opened(sealer, row.sealed, row.place) is not None:
                found.openable += 1
            else:
                found.lost[key_name(row.sealed)] += 1
    return found


async def reseal(database: Database, table: SealedTable, keyring: Keyring) -> int:
    """Seals under the present secret whatever opens under a fallback; how many texts that were. `database`: as the system role.

    What somebody writes at the same time stays as they wrote it. It may be broken off and run again.
    """
    done = 0
    for column, purpose in table.columns.items():
        sealer = Sealer(keyring, purpose)
        after: str | None = ""
        while after is not None:
            async with database.write(None) as session:
                changed, after = await _page(session, table, column, sealer, after)
            done += changed
    return done


async def _page(
    session: WriteSession, table: SealedTable, column: str, sealer: Sealer, after: str
) -> tuple[int, str | None]:
    statement = text(
        f"select {table.key} as place, {column} as sealed from {table.name}"  # noqa: S608  # names of our own
        f" where {table.key} > :after and substring({column} from 1 for :length) <> :mark order by {table.key} limit :most"
    )
    asked = {"after": after, "length": MARK_BYTES, "mark": sealer.mark, "most": _PAGE}
    rows = (await session.execute(statement, asked)).all()
    change = text(
        f"update {table.name} set {column} = :sealed"  # noqa: S608  # names of our own
        f" where {table.key} = :place and {column} = :before"
    )
    changed = 0
    for row in rows:
        plain = _opened(sealer, row.sealed, row.place)
        if plain is not None:
            values = {"place": row.place, "before": row.sealed, "sealed": sealer.seal(plain, row.place)}
            changed += (await session.execute(change, values)).rowcount  # type: ignore[attr-defined]  # an update's has it
    return changed, rows[-1].place if len(rows) == _PAGE else None


def _opened(sealer: Sealer, sealed: bytes, place: str) -> bytes | None:
    try:
        return sealer.unseal(sealed, place)
    except Unsealable:
        return None
