"""Quotas over several gateway processes: each lets pass alone what it must, and then holds to what all have left."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from crm_kit.db.provision import ServiceUrls
from crm_kit.db.session import Database
from crm_testkit.door import Door, running_door
from gateway.access.rate_limit import RateLimiter
from gateway.access.shared_limits import SETTLE_SECONDS
from gateway.composition import make_authenticator
from gateway.features.rate_limits import repository
from gateway.manifest import MANIFEST
from hypothesis import given
from hypothesis import strategies as st

QUOTA, TENANT_QUOTA, WINDOW = 40, 60, 60


@pytest_asyncio.fixture(scope="module")
async def two(
    postgres_database: Callable[[str], ServiceUrls],
    event_log_database: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[Door, Door]]:
    """Two gateways on one database."""
    database, log = postgres_database("gateway"), event_log_database()
    options: dict[str, Any] = {
        "rate_limit_quota": QUOTA,
        "rate_limit_tenant_quota": TENANT_QUOTA,
        "rate_limit_window_seconds": WINDOW,
        "roles": ("api",),
    }
    async with AsyncExitStack() as stack:
        doors = [
            await stack.enter_async_context(
                running_door(MANIFEST, make_authenticator, database, log, tmp_path_factory.mktemp("two"), **options)
            )
            for _ in range(2)
        ]
        yield doors[0], doors[1]


async def passed(door: Door, key: str, at_most: int) -> int:
    client, count = door.client(key), 0
    while count < at_most and (await client.get("/v1/contacts")).status_code == 200:
        count += 1
    return count


async def test_what_one_lets_pass_the_other_has_less(two: tuple[Door, Door]) -> None:
    first, second = two
    key = (await first.tenant()).key
    assert await passed(first, key, 30) == 30
    await asyncio.sleep(2 * SETTLE_SECONDS)
    assert await passed(second, key, 1) == 1  # it learns of a key by its first use
    await asyncio.sleep(2 * SETTLE_SECONDS)
    flowed_back = (5 + 2) * SETTLE_SECONDS * QUOTA / WINDOW + 3
    assert await passed(second, key, QUOTA) <= 9 + flowed_back


async def test_a_tenant_has_a_quota_over_all_its_keys(two: tuple[Door, Door]) -> None:
    first, _ = two
    holder = await first.tenant()
    keys = [holder.key] + [
        (await holder.client.post("/v1/api-keys", json={"name": "Further"})).json()["key"] for _ in range(2)
    ]
    counts = [await passed(first, key, QUOTA) for key in keys]
    assert TENANT_QUOTA - 5 <= sum(counts) <= TENANT_QUOTA + 10
    refused = await first.client(keys[2]).get("/v1/contacts")
    assert refused.status_code == 429
    assert refused.headers["ratelimit-policy"] == f'"tenant";q={TENANT_QUOTA};w={WINDOW}'
    other = await first.tenant("Other")
    assert await passed(first, other.key, 1) == 1


async def test_settling_by_many_at_once_loses_nothing(two: tuple[Door, Door]) -> None:
    system = Database(two[0].service.urls.system, pool_size=4)
    subjects = [("tenant_x", f"key_{number}") for number in range(20)]

    async def settle(order: int) -> None:
        async with system.write(None) as session:
            await repository.settle(session, dict.fromkeys(subjects[::order], 1), 1_000, 0.000_001)

    try:
        await asyncio.gather(*(settle(order) for order in (1, -1) * 20))
        async with system.write(None) as session:
            left = await repository.settle(session, dict.fromkeys(subjects, 0), 1_000, 0.000_001)
            assert {round(level) for _, _, level in left} == {960}
            await repository.forget(session, timedelta(0))
        async with system.write(None) as session:
            left = await repository.settle(session, {subjects[0]: 5_000}, 1_000, 0.000_001)
            assert left[0][2] == -4_000  # known by nobody before: as it is told
            left = await repository.settle(session, {subjects[0]: 0}, 1_000, 0.000_001)
            assert left[0][2] == -1_000  # and never deeper than a whole quota from then on
    finally:
        await system.close()


@given(steps=st.lists(st.tuples(st.floats(0, 5), st.integers(0, 30)), min_size=1, max_size=40))
def test_who_is_alone_is_held_to_no_less_than_it_knows(steps: list[tuple[float, int]]) -> None:
    """Against a limiter that nobody settles: the same requests pass."""
    now, shared, at = 0.0, None, 0.0
    alone, settled = RateLimiter(20, 20, lambda: now), RateLimiter(20, 20, lambda: now)
    for pause, requests in steps:
        for _ in range(requests):
            assert alone.take("key").allowed == settled.take("key", "tenant").allowed
        now += min(pause, SETTLE_SECONDS)
        spent = settled.collect().get(("tenant", "key"), 0)
        if spent:
            full = 20.0 if shared is None else min(20.0, shared + (now - at))
            shared, at = full - spent, now
            settled.settle("tenant", "key", shared, 2 * SETTLE_SECONDS)
