"""What a burst has opened is closed when it was not needed for a while."""

import asyncio

from crm_kit.db.session import Database
from crm_testkit.toy_service.fixtures import Parts
from sqlalchemy import text

_PID = text("select pg_backend_pid()")
_OURS = text("select array_agg(pid) from pg_stat_activity where application_name = 'surplus'")


async def _at_once(database: Database, count: int) -> set[int]:
    """The backends of so many transactions at one time."""
    all_there = asyncio.Barrier(count)

    async def one() -> int:
        async with database.read(None) as session:
            pid: int = await session.scalar(_PID)
            await all_there.wait()
            return pid

    return set(await asyncio.gather(*(one() for _ in range(count))))


async def test_what_a_burst_has_opened_is_closed_and_what_is_used_stays(parts: Parts) -> None:
    database = Database(parts.urls.app, pool_size=6, settings={"application_name": "surplus"})
    opened = await _at_once(database, 6)
    assert await database.surplus.close() == 0, "they were needed until now"
    used = await _at_once(database, 2)
    assert used < opened
    assert await database.surplus.close() == 4
    assert await _at_once(database, 2) == used, "those that came back last"
    async with asyncio.timeout(10), parts.app.read(None) as session:
        while set(await session.scalar(_OURS)) != used:
            pass
    assert [await database.surplus.close() for _ in range(3)] == [0, 1, 0], "two were needed until now; one stays"
    assert len(await _at_once(database, 6)) == 6
    await database.close()
