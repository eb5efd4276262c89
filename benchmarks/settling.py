"""When everything that was written has arrived."""

import asyncio
import time

import asyncpg
from crm_kit.bus.embedded import EmbeddedEventLog
from crm_local.stack import LocalStack

_TOPICS = ("crm.contacts.contact",)


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
