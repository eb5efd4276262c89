"""Guessing is slow, whoever guesses; and it locks nobody out who has what is guessed at."""

from collections.abc import AsyncIterator, Callable

import httpx
import pytest_asyncio
from crm_kit.db.provision import ServiceUrls
from crm_kit.http.outbound import network_of
from crm_testkit.door import Door, running_door
from gateway.access.failures import FailedAttempts
from gateway.access.keys import new_key, prefix_in
from gateway.composition import make_authenticator
from gateway.manifest import MANIFEST
from hypothesis import given
from hypothesis import strategies as st

QUOTA = 5


@pytest_asyncio.fixture(scope="module")
async def strict(
    postgres_database: Callable[[str], ServiceUrls],
    event_log_database: Callable[[], str],
    tmp_path_factory: object,
) -> AsyncIterator[Door]:
    folder = tmp_path_factory.mktemp("guessing")  # type: ignore[attr-defined]  # pytest's
    options = {"failed_attempts_quota": QUOTA, "trusted_proxy_hops": 1, "roles": ("api",)}
    async with running_door(
        MANIFEST, make_authenticator, postgres_database("gateway"), event_log_database(), folder, **options
    ) as running:
        yield running


def wrong(key: str, number: int) -> str:
    return f"{key[:-4]}{number:04d}"


def at(client: httpx.AsyncClient, address: str) -> httpx.AsyncClient:
    client.headers["X-Forwarded-For"] = address
    return client


async def test_beyond_the_quota_wrong_keys_wait(strict: Door) -> None:
    key = (await strict.tenant()).key
    for number in range(QUOTA):
        answer = await at(strict.client(wrong(key, number)), "198.51.100.1").get("/v1/contacts")
        assert answer.status_code == 401
    answer = await at(strict.client(wrong(key, 77)), "198.51.100.1").get("/v1/contacts")
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")
    assert 1 <= int(answer.headers["retry-after"]) <= 60 / QUOTA
    assert (await at(strict.client(wrong(key, 78)), "198.51.100.2").get("/v1/contacts")).status_code == 401


async def test_who_was_good_is_not_held_up(strict: Door) -> None:
    holder = await strict.tenant()
    good = at(holder.client, "198.51.100.3")
    assert (await good.get("/v1/contacts")).status_code == 200
    for number in range(QUOTA * 2):
        await at(strict.client(wrong(holder.key, number)), "198.51.100.3").get("/v1/contacts")
    assert (await good.get("/v1/contacts")).status_code == 200
    missing = await at(strict.client(), "198.51.100.3").get("/v1/contacts")
    assert missing.status_code == 401  # who sends nothing guesses nothing


async def test_the_token_endpoint_counts_too(strict: Door) -> None:
    body = {"grant_type": "client_credentials", "client_id": "key_01jd3zq8w9e2vbx7k5m4n6p8qr", "client_secret": "x"}
    client = at(strict.client(), "198.51.100.4")
    async with httpx.AsyncClient(base_url=strict.service.url, headers=client.headers) as plain:
        answers = [(await plain.post("/oauth/token", data=body)).status_code for _ in range(QUOTA + 2)]
    assert answers == [401] * QUOTA + [429] * 2


def test_guesses_at_one_key_from_many_addresses_wait_as_well() -> None:
    failures, prefix = FailedAttempts(QUOTA, lambda: 0.0), "relata_x"
    for number in range(QUOTA * 10):
        assert failures.wait(str(number), prefix, b"") == 0
        failures.failed(str(number), prefix)
    assert failures.wait("another", prefix, b"") > 0
    assert failures.wait("another", "relata_y", b"") == 0
    failures.succeeded(b"good")
    assert failures.wait("another", prefix, b"good") == 0


@given(steps=st.lists(st.floats(0, 30), min_size=1, max_size=60))
def test_never_more_failures_than_the_quota_and_what_flowed_back(steps: list[float]) -> None:
    now, failed = 0.0, 0
    failures = FailedAttempts(QUOTA, lambda: now)
    for step in steps:
        now += step
        if failures.wait("address", None, b"") == 0:
            failures.failed("address", None)
            failed += 1
        assert failed <= QUOTA + now * QUOTA / 60 + 1e-6


def test_one_client_is_an_address_or_a_household() -> None:
    assert network_of("198.51.100.7") == "198.51.100.7"
    assert network_of("::ffff:198.51.100.7") == "198.51.100.7"
    assert network_of("2001:db8:1:2:3::4") == network_of("2001:db8:1:2:ffff::1") != network_of("2001:db8:1:3::1")
    assert network_of("fe80::1%eth0") == network_of("fe80::2")
    assert network_of("testclient") == "testclient"


def test_what_a_key_begins_with() -> None:
    key = new_key("key_01jd3zq8w9e2vbx7k5m4n6p8qr")  # type: ignore[arg-type]  # a text does
    assert prefix_in(key) == prefix_in(key[:-1]) == "relata_01jd3zq8w9e2vbx7k5m4n6p8qr"
    assert prefix_in("eyJ.a.b") is None
