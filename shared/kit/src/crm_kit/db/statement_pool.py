"""Connections for statements that are a transaction each: one sets its tenant by itself and leaves nothing behind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import asyncpg
import orjson

from crm_kit.db.connecting import SESSION, Connection, connect, startup
from crm_kit.observability import metrics

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

STATEMENT_TIMEOUT_SECONDS: Final = 5.0

_AT_HAND: Final = 2
"""Connections that are not given back in between: asyncpg's pool takes as long for that as half of a statement."""

_LONGEST: Final = 10_000
"""Statements, until such a one goes back: how old a connection may become is the pool's matter."""


class StatementPool:
    """Connections for statements, each of which is its own transaction and leaves nothing behind."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool
        self._at_hand: list[tuple[PoolConnectionProxy[asyncpg.Record], int]] = []

    async def fetch(self, query: str, *arguments: object) -> "list[asyncpg.Record]":
        """Raises asyncpg's errors, OSError and TimeoutError."""
        while self._at_hand:
            connection, used = self._at_hand.pop()
            if _is_open(connection):
                break
        else:
            connection, used = await self._pool.acquire(), 0
        try:
            rows = await connection.fetch(query, *arguments)
        except BaseException:  # what is still under way on it is the pool's matter, too
            await self._pool.release(connection)
            raise
        if len(self._at_hand) < _AT_HAND and used < _LONGEST:
            self._at_hand.append((connection, used + 1))
        else:
            await self._pool.release(connection)
        return rows

    @property
    def idle(self) -> int:
        return self._pool.get_idle_size() + len(self._at_hand)

    @property
    def in_use(self) -> int:
        return self._pool.get_size() - self.idle

    async def close(self) -> None:
        """Within `STATEMENT_TIMEOUT_SECONDS`."""
        at_hand, self._at_hand = self._at_hand, []
        try:
            async with asyncio.timeout(STATEMENT_TIMEOUT_SECONDS):
                for connection, _ in at_hand:
                    await self._pool.release(connection)
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()


def _is_open(connection: "PoolConnectionProxy[asyncpg.Record]") -> bool:
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:  # lost, and by that the pool's again
        return False


@asynccontextmanager
async def open_statement_pool(
    url: str, *, size: int, name: str, by_transaction: bool = False
) -> AsyncIterator[StatementPool]:
    """JSON comes as Python's values. It connects when it is first asked: a process starts before its database.

    `name`: the service, a hyphen, and what it is for. `by_transaction`: behind a pooler that lends sessions by transaction.
    """
    pool = await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=size,
        connect=connect,
        init=_decode_json,
        reset=_leave,  # there is nothing to reset, and it would be a round trip
        timeout=STATEMENT_TIMEOUT_SECONDS,
        command_timeout=STATEMENT_TIMEOUT_SECONDS,
        server_settings=startup({**SESSION, "application_name": name}, by_transaction=by_transaction),
    )
    statements = StatementPool(pool)
    service, _, of = name.partition("-")
    metrics.POOL_LIMIT.labels(service, of).set(size)
    metrics.POOL_CONNECTIONS.labels(service, of, "idle").set_function(lambda: statements.idle)
    metrics.POOL_CONNECTIONS.labels(service, of, "in_use").set_function(lambda: statements.in_use)
    try:
        yield statements
    finally:
        await statements.close()


async def _decode_json(connection: Connection) -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(kind, schema="pg_catalog", encoder=_never, decoder=orjson.loads)


def _never(_value: object) -> str:
    raise NotImplementedError("JSON is written as text")


async def _leave(_connection: object) -> None:
    """Nothing to reset."""
