"""Opening a connection, with one error for a server that is not there."""

from typing import Any, TypeAlias

import asyncpg

# Quoted: the driver's classes take their parameter in its stubs only.
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class DatabaseUnreachable(ConnectionError):
    """PostgreSQL takes no connection now: it is not there, starts, stops, or has no connection left."""


class TenantConnection(asyncpg.Connection):
    """Its next transaction is `next_tenant`'s: BEGIN and the setting of the tenant travel together."""

    next_tenant: str | None = None

    async def execute(self, query: str, *arguments: Any, timeout: float | None = None) -> str:
        if not query.startswith("BEGIN") or self.next_tenant is None:
            return await super().execute(query, *arguments, timeout=timeout)
        quoted = self.next_tenant.replace("'", "''")
        self.next_tenant = None
        query += f" select set_config('app.tenant_id', '{quoted}', true);"
        try:
            return await super().execute(query, *arguments, timeout=timeout)
        except asyncpg.PostgresError:
            self.terminate()  # BEGIN may have been done, and nobody would roll it back
            raise


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
