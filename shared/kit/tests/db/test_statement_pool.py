"""Connections at hand are used again, and given up when they are lost, cancelled or old."""

import asyncio
from collections.abc import AsyncIterator, Callable

import asyncpg
import pytest
import pytest_asyncio
from crm_kit.db.provision import ServiceUrls
from crm_kit.db.statement_pool import StatementPool, open_statement_pool

_PID = "select pg_backend_pid() as pid"


@pytest_asyncio.fixture
async def pool(postgres_database: Callable[[str], ServiceUrls]) -> AsyncIterator[StatementPool]:
    urls = postgres_database("statements")
    async with open_statement_pool(urls.app, size=4, name="statements-x") as opened:
        yield opened


async def _pid(pool: StatementPool) -> int:
    found: int = (await pool.fetch(_PID))[0]["pid"]
    return found


async def test_who_is_alone_has_the_same_connection_again(pool: StatementPool) -> None:
    assert len({await _pid(pool) for _ in range(20)}) == 1
    assert (pool.idle, pool.in_use) == (1, 0)


async def test_many_at_once_share_the_pool(pool: StatementPool) -> None:
    async def ask() -> int:
        found: int = (await pool.fetch("select pg_backend_pid() as pid, pg_sleep(0.05)"))[0]["pid"]
        return found

    assert len(set(await asyncio.gather(*(ask() for _ in range(12))))) == 4
    assert (pool.idle, pool.in_use) == (4, 0)


async def test_a_lost_connection_is_replaced(pool: StatementPool) -> None:
    first = await _pid(pool)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await pool.fetch("select pg_terminate_backend(pg_backend_pid())")
    second = await _pid(pool)
    assert second != first
    others = await asyncio.gather(*(pool.fetch(_PID + ", pg_sleep(0.1)") for _ in range(2)))
    pids = [rows[0]["pid"] for rows in others]
    await pool.fetch(
        "select pg_terminate_backend(pid) from unnest($1::int[]) as pid where pid <> pg_backend_pid()", pids
    )
    async with asyncio.timeout(10):
        while any(
            isinstance(pid, Exception) for pid in await asyncio.gather(_pid(pool), _pid(pool), return_exceptions=True)
        ):
            await asyncio.sleep(0)


async def test_what_is_refused_or_cancelled_leaves_the_pool_whole(pool: StatementPool) -> None:
    for _ in range(12):
        with pytest.raises(asyncpg.UndefinedTableError):
            await pool.fetch("select * from nowhere")
        asking = asyncio.create_task(pool.fetch("select pg_sleep(30)"))
        await asyncio.sleep(0.02)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    async with asyncio.timeout(10):
        assert len(await asyncio.gather(*(_pid(pool) for _ in range(20)))) == 20
    assert pool.in_use == 0
