"""Opening a connection, with one error for a server that is not there."""

from typing import Any, TypeAlias

import asyncpg

# Quoted: the driver's classes take their parameter in its stubs only.
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class DatabaseUnreachable(ConnectionError):
    """PostgreSQL takes no connection now: it is not there, starts, stops, or has no connection left."""


class TenantConnection(asyncpg.Connection):  # type: ignore[type-arg]  # as above
    """Its next transaction is `next_tenant`'s: BEGIN and the setting of the tenant travel together."""

    next_tenant: str | None = None

    async def execute(self, query: str, *arguments: Any, timeout: float | None = None) -> str:
        if query.startswith("BEGIN") and self.next_tenant is not None:
            quoted = self.next_tenant.replace("'", "''")
            query += f" select set_config('app.tenant_id', '{quoted}', true);"
            self.next_tenant = None
        return await super().execute(query, *arguments, timeout=timeout)


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
