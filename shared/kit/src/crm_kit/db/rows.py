"""New rows in PostgreSQL's own words: all of them as one parameter, past SQLAlchemy's unit of work.

Rows come as JSON, which PostgreSQL turns into what the table's columns are.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import orjson
from sqlalchemy import Column
from sqlmodel import SQLModel

from crm_kit.db.models import columns


def written_columns(table: type[SQLModel]) -> list[Column[Any]]:
    """Those that PostgreSQL does not fill by itself."""
    return [column for column in columns(table) if column.computed is None and column.identity is None]


def insert_of(table: type[SQLModel]) -> str:
    """An INSERT of the rows in `:rows`, for `Sql`."""
    names = ", ".join(f'"{column.name}"' for column in written_columns(table))
    name = table.__tablename__
    return (
        f"insert into {name} ({names})"  # noqa: S608  # names of our own
        f" select {names} from jsonb_populate_recordset(null::{name}, cast(:rows as text)::jsonb)"
    )


def json_of(rows: Sequence[SQLModel]) -> str:
    """Rows of one table as `:rows`."""
    names = [column.key for column in written_columns(type(rows[0]))]
    return orjson.dumps([{name: getattr(row, name) for name in names} for row in rows], default=_spelled).decode()


def _spelled(value: object) -> str:
    """What JSON has no words for, as PostgreSQL reads it."""
    match value:
        case Decimal():
            return str(value)
        case bytes():
            return "\\x" + value.hex()
        case _:
            raise TypeError(f"{type(value).__name__} is no value of a column")
