"""When everything that was written has arrived, and nothing works on it any more."""

import asyncio
import time

import asyncpg
from crm_kit.bus.embedded import EmbeddedEventLog
from crm_local.stack import LocalStack
from writes import cpu_seconds

_QUIET_SECONDS = 3.0
_QUIET_SHARE = 0.1
_LONGEST_SECONDS = 900.0

_TOPICS = ("crm.contacts.contact",)


async def quiet(stack: LocalStack) -> None:
    """Waits until what was filled in is on the disk, and the stack takes less than a tenth of a core."""
    server = await asyncpg.connect(stack.server_url, command_timeout=_LONGEST_SECONDS)
    await server.execute("checkpoint")
    await server.close()
    until = time.perf_counter() + _LONGEST_SECONDS
    spent = cpu_seconds(stack.pids).total()
    while time.perf_counter() < until:
        await asyncio.sleep(_QUIET_SECONDS)
        before, spent = spent, cpu_seconds(stack.pids).total()
        if spent - before < _QUIET_SHARE * _QUIET_SECONDS:
            return


async def caught_up(stack: LocalStack, *, but_for: int = 0) -> float:
    """Waits until outbox, embedded log and stale views hold no more than `but_for` contacts, which are always on their
    way where writes go on; when that was, by `time.perf_counter`.
    """
    log = EmbeddedEventLog(stack.environment_of("gateway")["EVENT_LOG_URL"], compaction_interval=0)
    outbox, view = [await asyncpg.connect(stack.database_url(name)) for name in ("contacts", "gateway")]
    await log.start()
    limit = but_for + 1
    try:
        while True:
            waiting = await outbox.fetchval("select count(*) from (select from outbox limit $1) as found", limit)
            behind = sum(lag.behind for lag in (await log.lag("gateway.view", list(_TOPICS))).values())
            stale = await view.fetchval("select count(*) from (select from stale_customer limit $1) as found", limit)
            if waiting + behind + stale <= but_for:
                return time.perf_counter()
            await asyncio.sleep(0.1)
    finally:
        await log.close()
        await outbox.close()
        await view.close()
