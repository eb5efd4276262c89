"""Idempotency records are forgotten after their time."""

import asyncio
import uuid
from collections.abc import Callable
from pathlib import Path

import asyncpg
from crm_kit.db.provision import ServiceUrls
from crm_testkit.service import running_service
from crm_testkit.toy_service.manifest import MANIFEST


async def test_records_go_after_a_day_and_not_before(
    postgres_database: Callable[[str], ServiceUrls], event_log_database: Callable[[], str], tmp_path: Path
) -> None:
    urls, log = postgres_database("toy"), event_log_database()
    async with running_service(MANIFEST, urls, log, tmp_path, roles=("api",)) as service:
        tenant = service.tenant()
        for _ in range(2):
            headers = {"Idempotency-Key": str(uuid.uuid4())}
            assert (await tenant.client.post("/v1/notes", json={"title": "x"}, headers=headers)).status_code == 201
    owner = await asyncpg.connect(urls.owner)
    try:
        await owner.execute("select set_config('app.tenant_id', $1, false)", tenant.id)
        keys = "select key from idempotency order by key"
        old, young = [row["key"] for row in await owner.fetch(keys)]
        await owner.execute("update idempotency set created_at = now() - interval '25 hours' where key = $1", old)
        async with running_service(MANIFEST, urls, log, tmp_path, roles=("timers",)), asyncio.timeout(20):
            while [row["key"] for row in await owner.fetch(keys)] != [young]:
                await asyncio.sleep(0.05)
    finally:
        await owner.close()
