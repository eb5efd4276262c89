"""Opening a connection, with one error for a server that is not there."""

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

import asyncpg

# Quoted: the driver's classes take their parameter in its stubs only.
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

SESSION: Final[Mapping[str, str]] = {
    "jit": "off",  # short statements only
    # A process that hangs, or whose machine is gone without a word, must not keep its locks for hours.
    "idle_in_transaction_session_timeout": "20s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "client_connection_check_interval": "10s",
}
"""Settings of every session: PostgreSQL notices within half a minute that its client is lost, and releases its locks."""


class DatabaseUnreachable(ConnectionError):
    """PostgreSQL takes no connection now: it is not there, starts, stops, or has no connection left."""


TENANT_HELD: Final = "TR001"
"""SQLSTATE of a transaction that would write for a tenant whose writes are held (`crm_kit.tenants.table`)."""

Beginning: TypeAlias = Literal["read", "write", "always"]
"""How a transaction begins. `always`: it writes also where the tenant is read-only."""

_BEGINNINGS: Final[Mapping[Beginning, str]] = {
    "read": "set_config('app.tenant_id', {}, true)",
    "write": "begin_for_tenant({}, false)",
    "always": "begin_for_tenant({}, true)",
}


class TenantConnection(asyncpg.Connection):
    """Its next transaction is `next_tenant`'s: BEGIN and the setting of the tenant travel together.

    `local_settings` travel along: behind a pooler that lends sessions by transaction, none of the session's are ours.
    """

    next_tenant: str | None = None
    next_beginning: Beginning = "read"
    local_settings: Mapping[str, str] = {}

    async def execute(self, query: str, *arguments: Any, timeout: float | None = None) -> str:
        if not query.startswith("BEGIN"):
            return await super().execute(query, *arguments, timeout=timeout)
        asked = [f"set_config({_quoted(name)}, {_quoted(value)}, true)" for name, value in self.local_settings.items()]
        if self.next_tenant is not None:
            asked.append(_BEGINNINGS[self.next_beginning].format(_quoted(self.next_tenant)))
            self.next_tenant = None
        if not asked:
            return await super().execute(query, *arguments, timeout=timeout)
        query += f" select {', '.join(asked)};"
        try:
            return await super().execute(query, *arguments, timeout=timeout)
        except asyncpg.PostgresError as error:
            if error.sqlstate == TENANT_HELD:
                # The driver takes its transaction for begun, and the next one would be a savepoint within it.
                self._top_xact = None
                await super().execute("ROLLBACK")
            else:
                self.terminate()  # BEGIN may have been done, and nobody would roll it back
            raise


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def startup(settings: Mapping[str, str], *, by_transaction: bool) -> dict[str, str]:
    """What a connection may ask for when it begins: a pooler that lends sessions by transaction takes its name alone."""
    return {name: settings[name] for name in settings if not by_transaction or name == "application_name"}


def by_transaction_settings(settings: Mapping[str, str]) -> dict[str, str]:
    """What each transaction asks for instead. The line to PostgreSQL is the pooler's, and so is keeping it alive."""
    return {name: settings[name] for name in settings if name != "application_name" and not name.startswith("tcp_")}


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
