"""A service that is down, slow, garbled, or refuses us: a clear problem, never a hang."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from crm_kit.db.provision import ServiceUrls
from crm_testkit.door import Door, Keyholder, running_door
from crm_testkit.stand_in import Reply, closed_url, running_babbler
from gateway.composition import make_authenticator
from gateway.manifest import MANIFEST


@pytest_asyncio.fixture(scope="module")
async def impatient(
    postgres_database: Callable[[str], ServiceUrls],
    event_log_database: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Door]:
    """Waits half a second; pipeline is down, tickets talks nonsense, campaigns hangs up."""
    folder = tmp_path_factory.mktemp("impatient")
    async with (
        running_babbler(b"220 smtp.example ESMTP\r\n") as babbler,
        running_babbler(b"") as mute,
        running_door(
            MANIFEST,
            make_authenticator,
            postgres_database("gateway"),
            event_log_database(),
            folder,
            upstream_read_seconds=0.5,
            upstream_connect_seconds=0.5,
            pipeline_url=closed_url(),
            tickets_url=babbler,
            campaigns_url=mute,
        ) as running,
    ):
        yield running


@pytest_asyncio.fixture
async def holder(impatient: Door) -> Keyholder:
    impatient.behind["contacts"].reset()
    return await impatient.tenant()


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/deals"), ("POST", "/v1/deals"), ("GET", "/v1/campaigns")])
async def test_a_service_that_is_down_is_503_and_named(holder: Keyholder, method: str, path: str) -> None:
    response = await holder.client.request(method, path)
    problem = response.json()
    assert (response.status_code, problem["code"]) == (503, "unavailable")
    assert problem["service"] == ("pipeline" if "deals" in path else "campaigns")
    assert problem["service"] in problem["detail"]
    assert ("nothing was done" in problem["detail"]) == (method == "POST")
    assert response.headers["retry-after"] == "1"
    assert response.headers["ratelimit"]


async def test_a_slow_service_is_503_and_a_write_is_told_that_it_may_have_happened(
    impatient: Door, holder: Keyholder
) -> None:
    impatient.behind["contacts"].reset(lambda _: Reply(after=3))
    started = time.monotonic()
    response = await holder.client.post("/v1/contacts", json={})
    assert time.monotonic() - started < 2
    assert (response.status_code, response.json()["service"]) == (503, "contacts")
    assert "Idempotency-Key" in response.json()["detail"]
    assert len(impatient.behind["contacts"].asked) == 1


async def test_garbage_is_502(holder: Keyholder) -> None:
    response = await holder.client.get("/v1/tickets", headers={"Accept-Language": "zh-CN"})
    assert (response.status_code, response.json()["code"]) == (502, "upstream_failed")
    assert response.json()["service"] == "tickets"
    assert "tickets" in response.json()["detail"]


async def test_our_token_refused_is_502_not_401(impatient: Door, holder: Keyholder) -> None:
    impatient.behind["contacts"].reset(lambda _: Reply(401, {"www-authenticate": "Bearer"}))
    response = await holder.client.get("/v1/contacts")
    assert (response.status_code, response.json()["code"]) == (502, "upstream_failed")
    assert "www-authenticate" not in response.headers


async def test_a_crash_page_is_502(impatient: Door, holder: Keyholder) -> None:
    page = Reply(500, {"content-type": "text/plain"}, b"Internal Server Error: secrets")
    impatient.behind["contacts"].reset(lambda _: page)
    response = await holder.client.get("/v1/contacts")
    assert response.status_code == 502
    assert "secrets" not in response.text


async def test_a_short_answer_that_breaks_off_is_502(impatient: Door, holder: Keyholder) -> None:
    impatient.behind["contacts"].reset(lambda _: Reply(body=b'{"data": [1, 2, 3]}', cut_at=5))
    response = await holder.client.get("/v1/contacts")
    assert (response.status_code, response.json()["code"]) == (502, "upstream_failed")


async def test_others_are_answered_while_one_is_slow(impatient: Door, holder: Keyholder) -> None:
    impatient.behind["contacts"].reset(lambda asked: Reply(after=0.4 if "slow" in asked.target else 0))
    slow = [asyncio.create_task(holder.client.get("/v1/contacts/slow")) for _ in range(40)]
    while len(impatient.behind["contacts"].asked) < len(slow):
        await asyncio.sleep(0)
    assert (await holder.client.get("/v1/contacts/quick")).status_code == 200
    assert not all(one.done() for one in slow)
    assert {answer.status_code for answer in await asyncio.gather(*slow)} == {200}


async def test_a_service_that_comes_back_is_used_again(impatient: Door, holder: Keyholder) -> None:
    impatient.behind["contacts"].reset(lambda _: Reply(503, {"content-type": "application/problem+json"}, b"{}"))
    holder.client.event_hooks = {}  # the stand-in's problem lacks what ours have
    assert (await holder.client.get("/v1/contacts")).status_code == 503
    impatient.behind["contacts"].reset()
    assert (await holder.client.get("/v1/contacts")).status_code == 200
