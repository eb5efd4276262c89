"""An ordered endpoint, where what became of an event is slow to be written down."""

import asyncio
from urllib.parse import urlsplit

import asyncpg
from crm_kit.db.embedded import EmbeddedPostgres
from crm_testkit.door import Door
from crm_testkit.stand_in import Reply
from crm_testkit.webhooks import TAKEN, Hooks, until


async def test_what_comes_while_the_event_before_it_is_written_down_is_not_held_for_ever(
    hooks: Hooks, door: Door, postgres_server: EmbeddedPostgres
) -> None:
    made = await hooks.subscribe(ordering="entity")
    refusals = [Reply(503, {"Retry-After": "1"}, b"")]
    hooks.answer_by(lambda _: refusals.pop() if refusals else TAKEN)
    team = await hooks.team("first")
    await hooks.delivered(made, 1, "waiting")
    database = urlsplit(door.service.urls.owner).path
    connection = await asyncpg.connect(postgres_server.superuser_url(database.removeprefix("/")))
    async with connection.transaction():  # whoever writes its end down waits for us
        await connection.execute("select from webhook_delivery where endpoint_id = $1 for update", made["id"])
        await hooks.arrived(2)
        await hooks.rename(team, "second")

        async def is_there() -> bool:
            return bool(
                await connection.fetchval("select count(*) = 2 from webhook_event where subject = $1", team["id"])
            )

        await until(is_there)
        await asyncio.sleep(0.1)  # the sender hears of it; were it later, it would find nothing to stumble over
    await connection.close()
    assert [event["sequence"] for event in await hooks.arrived(3)] == ["1", "1", "2"]
