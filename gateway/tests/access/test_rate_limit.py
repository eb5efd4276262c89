"""How often a key may ask: told on every answer, refused beyond it."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from crm_kit.db.provision import ServiceUrls
from crm_testkit.door import Door, Keyholder, running_door
from gateway.access.rate_limit import RateLimiter
from gateway.composition import make_authenticator
from gateway.manifest import MANIFEST
from hypothesis import given
from hypothesis import strategies as st

LIMIT = re.compile(r'"default";r=(\d+);t=(\d+)')


@pytest_asyncio.fixture(scope="module")
async def strict(
    postgres_database: Callable[[str], ServiceUrls],
    event_log_database: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Door]:
    """Ten requests in ten seconds."""
    folder = tmp_path_factory.mktemp("strict")
    options = {"rate_limit_quota": 10, "rate_limit_window_seconds": 10, "roles": ("api",)}
    async with running_door(
        MANIFEST, make_authenticator, postgres_database("gateway"), event_log_database(), folder, **options
    ) as running:
        yield running


async def test_every_authenticated_answer_tells_the_limit(door: Door, tenant: Keyholder) -> None:
    for path, status in (
        ("/v1/contacts", 200),
        ("/v1/api-keys", 200),
        ("/v1/customers", None),
        ("/v1/customers/contact_00000000000000000000000000", 404),
        ("/v1/api-keys/key_00000000000000000000000000", 404),
        ("/v1/customers?colour=1", None),
    ):
        response = await tenant.client.get(path)
        assert status in (None, response.status_code), path
        assert response.headers["ratelimit-policy"] == '"default";q=6000;w=60', path
        assert LIMIT.fullmatch(response.headers["ratelimit"]), path


async def test_unauthenticated_answers_tell_none(door: Door) -> None:
    for path in ("/v1/contacts", "/healthz", "/docs", "/v1/nowhere"):
        assert "ratelimit" not in (await door.client().get(path)).headers


async def test_beyond_the_quota_is_429_until_retry_after(strict: Door) -> None:
    holder = await strict.tenant()
    other = await strict.key(holder, "read")
    remaining = []
    while (response := await holder.client.get("/v1/contacts")).status_code == 200:
        remaining.append(int(LIMIT.fullmatch(response.headers["ratelimit"])[1]))  # type: ignore[index]  # it matches
    assert remaining == sorted(remaining, reverse=True)
    assert 8 <= len(remaining) <= 10

    assert (response.status_code, response.json()["code"]) == (429, "too_many_requests")
    assert response.headers["ratelimit"] == '"default";r=0;t=1'
    assert response.headers["ratelimit-policy"] == '"default";q=10;w=10'
    assert response.headers["retry-after"] == "1"
    assert len(strict.behind["contacts"].asked) == len(remaining)
    assert (await other.get("/v1/contacts")).status_code == 200
    await asyncio.sleep(1)
    assert (await holder.client.get("/v1/contacts")).status_code == 200


async def test_a_request_is_counted_once_whichever_path_answers_it(strict: Door) -> None:
    """What the fast path leaves to the ordinary one was counted by then."""
    tenant = await strict.tenant()
    path = "/v1/customers/contact_01jd3zq8w9e2vbx7k5m4n6p8qr"
    for number in range(3):
        answers = [await tenant.client.get(path, headers=headers) for headers in ({}, {"Range": "bytes=0-"})]
        left = [int(LIMIT.fullmatch(answer.headers["ratelimit"])[1]) for answer in answers]  # type: ignore[index]  # it matches
        assert left[0] >= 9 - 2 * number, "what flows back meanwhile only adds to it"
        assert left[1] >= 8 - 2 * number


async def test_wrong_keys_do_not_use_up_a_right_one(strict: Door) -> None:
    holder = await strict.tenant()
    for _ in range(20):
        assert (await strict.client(holder.key[:-2] + "zz").get("/v1/contacts")).status_code == 401
    assert (await holder.client.get("/v1/contacts")).status_code == 200


@given(
    quota=st.integers(1, 50),
    window=st.integers(1, 60),
    pauses=st.lists(st.floats(0, 30, allow_nan=False), min_size=1, max_size=100),
)
def test_never_more_than_the_quota_and_what_flowed_back(quota: int, window: int, pauses: list[float]) -> None:
    now = [0.0]
    limiter = RateLimiter(quota, window, lambda: now[0])
    allowed = 0
    for pause in pauses:
        now[0] += pause
        verdict = limiter.take("key")
        allowed += verdict.allowed
        assert allowed <= quota + now[0] * quota / window + 1e-6
        r, t = map(int, LIMIT.fullmatch(verdict.headers["RateLimit"]).groups())  # type: ignore[union-attr]  # it matches
        assert 0 <= r < quota or quota == 1
        assert 0 <= t <= window
        if not verdict.allowed:
            now[0] += int(verdict.headers["Retry-After"])
            assert limiter.take("key").allowed
            allowed += 1
