"""Connections for statements that are a transaction each: one sets its tenant by itself and leaves nothing behind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

import asyncpg
import orjson

from crm_kit.db.connecting import SESSION, Connection, connect, startup
from crm_kit.observability import metrics

STATEMENT_TIMEOUT_SECONDS: Final = 5.0

# Quoted: the driver's classes take their parameter in its stubs only.
StatementPool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


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
    service, _, of = name.partition("-")
    metrics.POOL_LIMIT.labels(service, of).set(size)
    metrics.POOL_CONNECTIONS.labels(service, of, "idle").set_function(pool.get_idle_size)
    metrics.POOL_CONNECTIONS.labels(service, of, "in_use").set_function(lambda: pool.get_size() - pool.get_idle_size())
    try:
        yield pool
    finally:
        try:
            await asyncio.wait_for(pool.close(), STATEMENT_TIMEOUT_SECONDS)
        except TimeoutError:
            pool.terminate()


async def _decode_json(connection: Connection) -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(kind, schema="pg_catalog", encoder=_never, decoder=orjson.loads)


def _never(_value: object) -> str:
    raise NotImplementedError("JSON is written as text")


async def _leave(_connection: object) -> None:
    """Nothing to reset."""
