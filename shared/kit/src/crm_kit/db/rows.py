"""New rows in PostgreSQL's own words: all of them as one parameter, past SQLAlchemy's unit of work.

Rows come as JSON, which PostgreSQL turns into what the table's columns are.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from types import FunctionType
from typing import Any, Final, TypeVar, cast

import orjson
from sqlalchemy import Column, Table
from sqlmodel import SQLModel

from crm_kit.db.models import columns
from crm_kit.db.session import WriteSession
from crm_kit.db.sql import Sql

RowT = TypeVar("RowT", bound=SQLModel)


_OF_LIBRARIES: Final = ("sqlmodel", "sqlalchemy", "pydantic", "builtins")


class _NewRow:
    """What a row of a table holds, and nothing of SQLAlchemy's."""

    def model_dump(self) -> dict[str, Any]:
        return dict(self.__dict__)


@cache
def _new_type(table: type[SQLModel]) -> type[_NewRow]:
    """One of each table, so that a row's type tells its columns; with what the table's own classes compute of a row."""
    own = [each for each in reversed(table.__mro__) if not each.__module__.startswith(_OF_LIBRARIES)]
    computed = {
        name: value
        for each in own
        for name, value in vars(each).items()
        if isinstance(value, property | FunctionType) and not name.startswith("__")
    }
    return type(f"New{table.__name__}", (_NewRow,), {**computed, "__table__": table.__table__})  # type: ignore[attr-defined]  # SQLAlchemy adds it


@cache
def _defaults(table: type[SQLModel]) -> Callable[[], dict[str, Any]]:
    fixed: dict[str, Any] = {}
    made: dict[str, Callable[[], Any]] = {}
    for name, field in table.model_fields.items():
        if field.default_factory is not None:
            made[name] = field.default_factory  # type: ignore[assignment]  # ours take no data
        elif isinstance(field.default, list | dict):
            made[name] = type(field.default)
        else:
            fixed[name] = None if field.is_required() else field.default
    return lambda: {**fixed, **{name: make() for name, make in made.items()}}


def new_row(table: type[RowT], **values: Any) -> RowT:
    """A row to be created by `EntityEvents`: its columns as attributes, for a fiftieth of what SQLAlchemy's own costs.

    It cannot be changed once it is created: lock it as any other.
    """
    row = _new_type(table)()
    row.__dict__.update(_defaults(table)(), **values)
    return cast("RowT", row)


def read_row(table: type[RowT], values: Mapping[str, Any]) -> RowT:
    """A row as it was read past SQLAlchemy, to be changed in an `UnbegunSession`."""
    row = _new_type(table)()
    row.__dict__.update(values)
    return cast("RowT", row)


def written_columns(table: type[SQLModel]) -> list[Column[Any]]:
    """Those that PostgreSQL does not fill by itself."""
    return [column for column in columns(table) if column.computed is None and column.identity is None]


def insert_of(table: type[SQLModel]) -> str:
    """An INSERT of the rows in `:rows`, for `Sql`."""
    return _insert(str(table.__tablename__), [column.name for column in written_columns(table)])


def _insert(name: str, columns: Sequence[str]) -> str:
    names = ", ".join(f'"{column}"' for column in columns)
    return (
        f"insert into {name} ({names})"  # noqa: S608  # names of our own
        f" select {names} from jsonb_populate_recordset(null::{name}, cast(:rows as text)::jsonb)"
    )


async def store_newer(session: WriteSession, table: Table, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Writes copies of the session's tenant, each of another id; one that is not newer than what is stored changes nothing.

    What a row does not name becomes null. Answers the ids of those that were newer.
    """
    if not rows:
        return []
    given = [json_bytes({"tenant_id": session.tenant_id, **row}) for row in rows]
    return [row["id"] for row in await session.fetch(_store_newer(table), {"rows": together(given)})]


@cache
def _store_newer(table: Table) -> Sql:
    columns = list(table.columns.keys())
    changed = ", ".join(f'"{name}" = excluded."{name}"' for name in columns if name not in ("tenant_id", "id"))
    return Sql(
        f"{_insert(table.name, columns)} on conflict (tenant_id, id)"
        f" do update set {changed} where {table.name}.version < excluded.version returning id"
    )


def json_of(table: type[SQLModel], row: SQLModel) -> bytes:
    """A row as it goes into `:rows`."""
    return json_bytes({name: getattr(row, name) for name in _written_names(table)})


def json_bytes(values: Mapping[str, Any]) -> bytes:
    """The same of its columns' values."""
    return orjson.dumps(values, default=_spelled)


def together(rows: Sequence[bytes]) -> str:
    """`:rows` of rows of one table."""
    return "[" + b",".join(rows).decode() + "]"


@cache
def _written_names(table: type[SQLModel]) -> tuple[str, ...]:
    return tuple(column.key for column in written_columns(table))


def _spelled(value: object) -> str:
    """What JSON has no words for, as PostgreSQL reads it."""
    match value:
        case Decimal():
            return str(value)
        case bytes():
            return "\\x" + value.hex()
        case _:
            raise TypeError(f"{type(value).__name__} is no value of a column")
