"""The checker is no rubber stamp: three relays that look right are found out, by the writers of test_relay."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

import asyncpg
import orjson
import pytest
from crm_contracts.envelope import Event
from crm_testkit.toy_service.fixtures import Parts
from crm_testkit.writers import Faults, check, make_notes, running, write_concurrently

Published = list[Event]

_COLUMNS = "id, headers::text as headers, payload, xmin::text::bigint as transaction"


def _publish(rows: Sequence[asyncpg.Record], published: Published) -> None:
    published.extend(Event.parse(orjson.loads(row["headers"]), row["payload"]) for row in rows)


async def cursor_on_id(url: str, published: Published) -> None:
    """`id > last`: a row that commits after one with a higher number is never read."""
    connection = await asyncpg.connect(url)
    try:
        last = 0
        while True:
            rows = await connection.fetch(f"select {_COLUMNS} from outbox where id > $1 order by id", last)
            _publish(rows, published)
            last = rows[-1]["id"] if rows else last
            await asyncio.sleep(0.001)
    finally:
        connection.terminate()


async def cursor_on_transaction(url: str, published: Published) -> None:
    """Transactions below the oldest that still runs, in their order: complete, but not the order of an entity's locks."""
    connection = await asyncpg.connect(url)
    statement = (
        f"select {_COLUMNS} from outbox where xmin::text::bigint > $1"
        " and xmin::text::bigint < pg_snapshot_xmin(pg_current_snapshot())::text::bigint order by transaction, id"
    )
    try:
        last = 0
        while True:
            rows = await connection.fetch(statement, last)
            _publish(rows, published)
            last = rows[-1]["transaction"] if rows else last
            await asyncio.sleep(0.001)
    finally:
        connection.terminate()


async def skip_locked(url: str, published: Published) -> None:
    """One of several relays that share the rows: the one with the later event may publish first."""
    connection = await asyncpg.connect(url)
    chance = random.Random(id(connection))
    statement = f"select {_COLUMNS} from outbox order by id limit 5 for update skip locked"
    try:
        while True:
            async with connection.transaction():
                rows = await connection.fetch(statement)
                await asyncio.sleep(chance.uniform(0, 0.004))  # the way to the broker
                _publish(rows, published)
                await connection.execute("delete from outbox where id = any($1::bigint[])", [row["id"] for row in rows])
            if not rows:
                await asyncio.sleep(0.001)
    finally:
        connection.terminate()


BROKEN: dict[str, tuple[Callable[[str, Published], Awaitable[None]], int, str]] = {
    "a cursor on the id": (cursor_on_id, 1, "lost"),
    "a cursor on the transaction": (cursor_on_transaction, 1, "reordered"),
    "four that skip locked rows": (skip_locked, 4, "reordered"),
}
_SEEDS = 60


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_relay_is_found_out(parts: Parts, name: str, tenant_id: str) -> None:
    relay, number, fault = BROKEN[name]
    await parts.fetch("delete from outbox")
    ids = await make_notes(parts.app, tenant_id, 6)
    published: Published = []

    async def loop() -> None:
        await relay(parts.urls.system, published)

    faults = Faults(0, 0)
    async with running(*[loop] * number):
        for seed in range(_SEEDS):
            expected = await write_concurrently(parts.app, tenant_id, ids, writers=16, transactions=4, seed=seed)
            await _settled(published)
            faults = check(published, expected)
            if getattr(faults, fault):
                break
    assert getattr(faults, fault), f"{_SEEDS} rounds of 128 events and not one was {fault}"


async def _settled(published: Sequence[Event]) -> None:
    """Waits until nothing more comes."""
    seen = -1
    while len(published) > seen:
        seen = len(published)
        await asyncio.sleep(0.15)
