"""Opening a connection, with one error for a server that is not there."""

from typing import Any, TypeAlias

import asyncpg

# Quoted: the driver's classes take their parameter in its stubs only.
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class DatabaseUnreachable(ConnectionError):
    """PostgreSQL takes no connection now: it is not there, starts, stops, or has no connection left."""


async def connect(*arguments: Any, **options: Any) -> Connection:
    """As `asyncpg.connect`. Raises DatabaseUnreachable where another try may succeed."""
    try:
        return await asyncpg.connect(*arguments, **options)
    except (
        # A missing Unix socket is a FileNotFoundError, a host with several addresses a plain OSError.
        OSError,
        asyncpg.CannotConnectNowError,
        asyncpg.PostgresConnectionError,
        asyncpg.TooManyConnectionsError,
    ) as error:
        raise DatabaseUnreachable(f"PostgreSQL takes no connection: {error or type(error).__name__}") from error
