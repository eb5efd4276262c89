"""Whatever process appends to a journal, every other hears of it from PostgreSQL when it is committed."""

import asyncio

import asyncpg
from crm_testkit.door import Door, Keyholder
from crm_testkit.webhooks import Hooks


async def test_another_process_hears_of_the_tenant_whose_journal_has_grown(
    hooks: Hooks, door: Door, tenant: Keyholder
) -> None:
    await hooks.subscribe(transport="pull", url=None)
    heard: asyncio.Queue[str] = asyncio.Queue()
    other = await asyncpg.connect(door.service.runtime.settings.database_url)
    try:
        await other.add_listener("webhook_journal", lambda *told: heard.put_nowait(told[-1]))
        await hooks.team("一")
        async with asyncio.timeout(30):
            while await heard.get() != tenant.id:
                pass
    finally:
        await other.close()
