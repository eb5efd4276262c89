"""Live and rebuilt tables, row by row: what is only in one, and what differs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text

from crm_kit.db.session import ReadSession
from crm_kit.inbox import LIVE_SCHEMA
from crm_kit.rebuild.tables import SCHEMA

_SHOWN: Final = 10

# `json` has no equality, and its text is what matters of it.
_COLUMNS = text(
    """
    select quote_ident(a.attname) as name, a.attname as plain, a.atttypid = cast('json' as regtype) as as_text,
           coalesce(a.attnum = any(x.indkey), false) as key
      from pg_attribute a
      left join pg_index x on x.indrelid = a.attrelid and x.indisprimary
     where a.attrelid = cast(:table as regclass) and a.attnum > 0 and not a.attisdropped
     order by a.attnum
    """
)


@dataclass(frozen=True, slots=True)
class Difference:
    """Rows of one table of which live and rebuilt say something else; `ids` are the first of them."""

    table: str
    kind: str
    rows: int
    ids: tuple[str, ...]

    def __str__(self) -> str:
        more = ", …" if self.rows > len(self.ids) else ""
        return f"{self.table}: {self.rows:,} {self.kind}: {', '.join(self.ids)}{more}"


async def compare(session: ReadSession, tables: Sequence[str]) -> list[Difference]:
    """Compares all columns of all rows, within the session's snapshot."""
    return [difference for table in tables for difference in await _compare(session, table)]


async def _compare(session: ReadSession, table: str) -> list[Difference]:
    columns = (await session.execute(_COLUMNS, {"table": f'{LIVE_SCHEMA}."{table}"'})).all()
    keys = [column.name for column in columns if column.key]
    differ = " or ".join(
        f"cast(l.{column.name} as text) is distinct from cast(r.{column.name} as text)"
        if column.as_text
        else f"l.{column.name} is distinct from r.{column.name}"
        for column in columns
        if not column.key
    )
    # Only ids are shown: another key may be an address.
    shown = ", ".join(
        column.name for column in columns if column.key and (column.plain == "id" or column.plain.endswith("_id"))
    )
    first = keys[0]
    statement = f"""
        with found as (
            select concat_ws('/', {shown}) as id,
                   case when r.{first} is null then 'only live' when l.{first} is null then 'only rebuilt'
                        else 'different' end as kind
              from {LIVE_SCHEMA}."{table}" l full join {SCHEMA}."{table}" r using ({", ".join(keys)})
             where r.{first} is null or l.{first} is null or {differ or "false"}),
        numbered as (select *, row_number() over (partition by kind order by id) as n from found)
        select kind, count(*) as rows, array_agg(id order by id) filter (where n <= {_SHOWN}) as ids
          from numbered group by kind order by kind
    """  # noqa: S608  # names out of the catalogue, quoted
    rows = await session.execute(text(statement))
    return [Difference(table, row.kind, row.rows, tuple(row.ids)) for row in rows]
