"""Connecting to the log's database, and which of its errors mean "try again"."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

import asyncpg

from crm_kit.bus.port import EventLogError, PublishFailed, Unavailable
from crm_kit.db import connecting

TRANSIENT: tuple[type[Exception], ...] = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""A broken or refused connection, a server that starts or stops, a lock not had in time."""

FAILURES: tuple[type[Exception], ...] = (*TRANSIENT, asyncpg.PostgresError)
"""Whatever a statement can fail with, for work that is only an aid and must not fail anything else."""

# Quoted: the driver's classes take their parameter in its stubs only.
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
AnyConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

CONNECT_TIMEOUT = 5.0
COMMAND_TIMEOUT = 30.0

# The log's statements are index lookups by construction; a plan made while the tables were empty must not
# stay a sequential scan when they have grown. To plan them for each batch anew would cost more than they do.
SESSION: dict[str, str] = {
    **connecting.SESSION,
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "plan_cache_mode": "force_generic_plan",
    "lock_timeout": "10s",
    "application_name": "event-log",
}


@contextmanager
def translated() -> Iterator[None]:
    """Raise the port's errors in place of the driver's."""
    try:
        yield
    except EventLogError:
        raise
    except TRANSIENT as error:
        raise Unavailable(f"The embedded event log is not available: {error or type(error).__name__}") from error
    except asyncpg.PostgresError as error:
        raise PublishFailed(f"The embedded event log refused the statement: {error}") from error


async def connect(url: str) -> Connection:
    """A connection of one's own, outside the pool, for what may be lost in a crash: nobody waits for the disk."""
    settings = {**SESSION, "synchronous_commit": "off"}
    return await asyncpg.connect(
        url, timeout=CONNECT_TIMEOUT, command_timeout=COMMAND_TIMEOUT, server_settings=settings
    )
