"""Statements that may take only so long, and what PostgreSQL guesses where they took longer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import asyncpg
import orjson
from sqlalchemy import Select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import ClauseElement, Executable

from crm_kit.db.session import WriteSession

_PRESENT: Final = text("select current_setting('statement_timeout')")
_SET: Final = text("select set_config('statement_timeout', :limit, true)")


class TookTooLong(Exception):
    """PostgreSQL has given a statement up."""


@asynccontextmanager
async def time_limit(session: WriteSession, limit: timedelta) -> AsyncIterator[None]:
    """No statement within takes longer; the transaction goes on behind it. Raises TookTooLong."""
    before = await session.scalar(_PRESENT)
    try:
        async with session.savepoint():
            await session.execute(_SET, {"limit": str(max(1, int(limit.total_seconds() * 1000)))})
            yield
            await session.execute(_SET, {"limit": before})
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != asyncpg.QueryCanceledError.sqlstate:
            raise
        raise TookTooLong from error


class _Explained(Executable, ClauseElement):
    inherit_cache = False

    def __init__(self, statement: Select[Any]) -> None:
        self.statement = statement


@compiles(_Explained)
def _explained(element: _Explained, compiler: SQLCompiler, **kwargs: Any) -> str:
    return f"explain (format json) {compiler.process(element.statement, **kwargs)}"


async def guessed_rows(session: WriteSession, statement: Select[Any]) -> int:
    """How many rows PostgreSQL expects of it, by its statistics."""
    plan = await session.scalar(_Explained(statement))
    document = orjson.loads(plan) if isinstance(plan, str | bytes) else plan
    return int(document[0]["Plan"]["Plan Rows"])
