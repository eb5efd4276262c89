"""Several processes at the gateway's port: no client can tell."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial

import httpx
import psutil
import pytest_asyncio
from crm_local.ports import HOST
from crm_testkit.beside import beside
from crm_testkit.lines import MANY, Line, lines, processes, server_of
from crm_testkit.whole_stack import Relata, bearer, running_stack
from prometheus_client.parser import text_string_to_metric_families

PROCESSES = 3


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def relata() -> AsyncIterator[Relata]:
    async with running_stack("embedded", settings={"WEB_CONCURRENCY": str(PROCESSES)}) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def key(relata: Relata) -> str:
    return await relata.new_tenant_key()


async def test_connections_are_given_out_evenly(relata: Relata, key: str) -> None:
    pid = relata.stack.pids["gateway"]
    assert len(processes(pid)) == PROCESSES
    async with lines(relata.gateway_url, key, 30) as opened:
        served = Counter(server_of(pid, line).pid for line in opened)
    assert sorted(served) == sorted(process.pid for process in processes(pid))
    assert min(served.values()) >= 8, served


async def test_whoever_has_lost_many_gets_the_next(relata: Relata, key: str) -> None:
    pid = relata.stack.pids["gateway"]
    async with lines(relata.gateway_url, key, 30) as opened:
        at_first = [line for line in opened if server_of(pid, line).pid == pid]
        for line in at_first:
            await line.client.aclose()
        async with lines(relata.gateway_url, key, len(at_first)) as more:
            served = Counter(server_of(pid, line).pid for line in more)
    assert served[pid] >= len(at_first) - 4, served


async def test_a_quota_is_exact_over_all_of_them(relata: Relata, key: str) -> None:
    quota, connections, each = 60, 20, 6
    settings = {
        "WEB_CONCURRENCY": str(PROCESSES),
        "RATE_LIMIT_QUOTA": str(quota),
        "RATE_LIMIT_WINDOW_SECONDS": "86400",  # nothing flows back meanwhile
    }
    async with (
        beside(relata.stack, "gateway", "serve", "--only", "api", settings=settings) as gateway,
        lines(f"http://{HOST}:{gateway.program.port}", key, connections) as opened,
    ):

        async def ask(line: Line) -> list[httpx.Response]:
            return [await line.client.get("/v1/contacts?limit=1") for _ in range(each)]

        answers = [answer for found in await asyncio.gather(*map(ask, opened)) for answer in found]
        passed = [answer for answer in answers if answer.status_code == 200]
        left = sorted(int(answer.headers["ratelimit"].split(";")[1].removeprefix("r=")) for answer in passed)
        assert left == list(range(quota - connections)), "each once; opening took the others"
        refused = {answer.status_code for answer in answers if answer not in passed}
        assert refused == {429}
        for line in opened:
            assert (await line.client.get("/v1/contacts?limit=1")).status_code == 429


async def test_failed_attempts_are_counted_together(relata: Relata) -> None:
    quota = 12
    settings = {
        "WEB_CONCURRENCY": str(PROCESSES),
        "FAILED_ATTEMPTS_QUOTA": str(quota),
    }
    async with beside(relata.stack, "gateway", "serve", "--only", "api", settings=settings) as gateway:
        found: Counter[int] = Counter()
        for number in range(quota + 6):
            url = f"http://{HOST}:{gateway.program.port}/v1/contacts"
            wrong = bearer(f"relata_{'0' * 26}_{number:043d}")
            async with httpx.AsyncClient(headers=wrong) as client:
                found[(await client.get(url)).status_code] += 1
    assert quota <= found[401] <= quota + 2, "what flows back meanwhile only adds to it"
    assert found[429] >= 4


async def test_a_revoked_key_is_refused_at_once_on_every_connection(relata: Relata, key: str) -> None:
    admin = relata.client_of(key)
    async with admin:
        for _ in range(5):
            made = (await admin.post("/v1/api-keys", json={"name": "Short"})).json()
            async with lines(relata.gateway_url, made["key"]) as opened:
                assert (await admin.delete(f"/v1/api-keys/{made['id']}")).status_code == 204
                answers = [await line.client.get("/v1/contacts?limit=1") for line in opened]
                assert {answer.status_code for answer in answers} == {401}


async def test_what_was_written_through_one_is_read_through_another(relata: Relata, key: str) -> None:
    async with lines(relata.gateway_url, key, PROCESSES) as opened:
        pid = relata.stack.pids["gateway"]
        assert len({server_of(pid, line).pid for line in opened}) == PROCESSES
        for number in range(200):
            writer, reader = opened[number % PROCESSES].client, opened[(number + 1) % PROCESSES].client
            made = await writer.post("/v1/contacts", json={"full_name": f"即时 {number}"})
            assert made.status_code == 201, made.text
            contact = made.json()
            view = await reader.get(f"/v1/customers/{contact['id']}")
            assert view.json().get("profile") == contact, (number, view.text)


async def _seen_by_all(asked: Sequence[Callable[[], Awaitable[bool]]], begin: int) -> None:
    """Once one sees a change, which takes seconds, all do: nobody is shown one thing and then the other."""
    async with asyncio.timeout(20):
        while not await asked[begin]():
            pass
    assert all([await one() for one in asked])


async def test_what_one_has_noticed_all_know(relata: Relata, key: str) -> None:
    async with relata.client_of(key) as admin:
        user = (await admin.post("/v1/users", json={"name": "陈静", "email": "jing@example.com"})).json()
        mine = (await admin.post("/v1/api-keys", json={"name": "Jing", "user_id": user["id"]})).json()["key"]
        async with lines(relata.gateway_url, mine, PROCESSES, "/healthz") as opened:

            async def is_refused(line: Line) -> bool:
                return (await line.client.get("/v1/contacts?limit=1")).status_code == 401

            async def is_admitted(line: Line) -> bool:
                return not await is_refused(line)

            for number in range(2 * PROCESSES):
                status, asked = [("disabled", is_refused), ("active", is_admitted)][number % 2]
                answer = await admin.patch(f"/v1/users/{user['id']}", json={"status": status})
                assert answer.status_code == 200, answer.text
                await _seen_by_all([partial(asked, line) for line in opened], number % PROCESSES)


async def test_an_origin_that_one_knows_all_know(relata: Relata, key: str) -> None:
    async with lines(relata.gateway_url, key, PROCESSES) as opened:

        async def is_allowed(line: Line, origin: str) -> bool:
            answer = await line.client.get("/v1/contacts?limit=1", headers={"Origin": origin})
            return bool(answer.headers.get("access-control-allow-origin") == origin)

        for number in range(PROCESSES):
            origin = f"https://shop{number}.example.com"
            body = {"name": "门户", "origin": origin}
            assert (await opened[0].client.post("/v1/allowed-origins", json=body)).status_code == 201
            await _seen_by_all([partial(is_allowed, line, origin) for line in opened], number)


def _metrics(text: str) -> Mapping[tuple[str, tuple[tuple[str, str], ...]], float]:
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    values = {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in found}
    assert len(values) == len(found), "each series once"
    return values


def _answered(values: Mapping[tuple[str, tuple[tuple[str, str], ...]], float], name: str) -> float:
    return sum(
        value for (each, labels), value in values.items() if each == name and dict(labels)["route"] == "/v1/contacts/*"
    )


async def test_metrics_are_those_of_all(relata: Relata, key: str) -> None:
    async with lines(relata.gateway_url, key) as opened:
        before = _metrics((await opened[0].client.get("/metrics")).text)

        async def ask(line: Line) -> None:
            for _ in range(10):
                assert (await line.client.get("/v1/contacts?limit=1")).status_code == 200

        await asyncio.gather(*map(ask, opened))
        for line in opened[: 2 * PROCESSES]:
            after = _metrics((await line.client.get("/metrics")).text)
            for name in ("crm_http_requests_total", "crm_http_request_seconds_count"):
                assert _answered(after, name) - _answered(before, name) == 10 * MANY
    first = psutil.Process(relata.stack.pids["gateway"])
    started = after["process_start_time_seconds", ()]
    assert abs(started - first.create_time()) < 5


async def test_http_1_0_and_good_byes_are_understood_by_each(relata: Relata) -> None:
    for request in (b"GET /healthz HTTP/1.0\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"):
        for _ in range(2 * PROCESSES):
            reader, writer = await asyncio.open_connection(HOST, relata.stack.ports["gateway"])
            async with asyncio.timeout(10):
                writer.write(request)
                answer = await reader.read()
            writer.close()
            assert answer.startswith(b"HTTP/1.1 200 OK"), answer
            assert answer.endswith(b'{"status":"ok"}')


async def test_no_descriptor_is_left_behind(relata: Relata, key: str) -> None:
    found = processes(relata.stack.pids["gateway"])
    async with lines(relata.gateway_url, key, 30):
        pass
    before = [process.num_fds() for process in found]
    for _ in range(10):
        async with lines(relata.gateway_url, key, 30) as opened:
            assert (await opened[0].client.get("/metrics")).status_code == 200
    await asyncio.sleep(0.5)
    after = [process.num_fds() for process in found]
    assert all(now - then < 15 for now, then in zip(after, before, strict=True)), (before, after)


async def test_one_that_hangs_is_seen_by_whoever_looks(relata: Relata, key: str) -> None:
    pid = relata.stack.pids["gateway"]
    async with lines(relata.gateway_url, key, 2 * PROCESSES) as opened:
        hung = processes(pid)[-1]
        asked = next(line.client for line in opened if server_of(pid, line) != hung)
        hung.suspend()
        try:
            for path in ("/healthz", "/readyz"):
                answer = await asked.get(path)
                assert (answer.status_code, "another process" in answer.text) == (503, True), answer.text
        finally:
            hung.resume()
        assert (await asked.get("/healthz")).status_code == 200


async def test_every_line_of_the_log_is_whole(relata: Relata, key: str) -> None:
    async with lines(relata.gateway_url, key):
        pass
    for line in relata.stack.folder.log_file("gateway").read_text().splitlines():
        if not line.startswith("gateway: "):  # why it ended, on standard error
            assert json.loads(line)["service"] == "gateway"
