"""Several processes at the gateway's port end together: in order where they are asked to, at once where one is killed."""

import asyncio
import json
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

import asyncpg
import httpx
import pytest
import pytest_asyncio
from crm_kit.db.processes import is_alive
from crm_local.ports import HOST, find_free_ports
from crm_testkit.beside import beside
from crm_testkit.lines import MANY, lines, processes, server_of
from crm_testkit.whole_stack import Relata, bearer, running_stack

PROCESSES = 3


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def relata() -> AsyncIterator[Relata]:
    async with running_stack("embedded", settings={"WEB_CONCURRENCY": str(PROCESSES)}) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def key(relata: Relata) -> str:
    return await relata.new_tenant_key()


async def _until(url: str, status: int) -> httpx.Response:
    """Each time by a connection of its own."""
    async with asyncio.timeout(30):
        while True:
            with suppress(httpx.TransportError):
                async with httpx.AsyncClient(timeout=5) as client:
                    answer = await client.get(url)
                if answer.status_code == status:
                    return answer
            await asyncio.sleep(0.05)


async def test_where_one_is_killed_the_whole_starts_anew(relata: Relata, key: str) -> None:
    pid = relata.stack.pids["gateway"]
    before = processes(pid)
    before[-1].kill()
    await relata.stack.wait_restarted("gateway", pid)
    assert not any(is_alive(process) for process in before)
    assert (
        "one of the processes that answer at its port has ended" in relata.stack.folder.log_file("gateway").read_text()
    )
    async with lines(relata.gateway_url, key, 2 * PROCESSES) as opened:
        now = {server_of(relata.stack.pids["gateway"], line).pid for line in opened}
    assert len(now) == PROCESSES


def _settings(**more: str) -> dict[str, str]:
    return {"WEB_CONCURRENCY": str(PROCESSES), **more}


async def test_where_the_first_is_killed_nothing_is_left_and_the_port_is_free(relata: Relata, key: str) -> None:
    async with beside(relata.stack, "gateway", "serve", "--only", "api", settings=_settings()) as gateway:
        before = processes(gateway.pid)
        async with lines(f"http://{HOST}:{gateway.program.port}", key):
            gateway.signal(signal.SIGKILL)
            await gateway.wait_ended()
            async with asyncio.timeout(5):
                while any(is_alive(process) for process in before):
                    await asyncio.sleep(0.01)
        with socket.socket() as mine:
            mine.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            mine.bind((HOST, gateway.program.port))


async def _under_load(process: asyncio.subprocess.Process, url: str, key: str, *signals: signal.Signals) -> int:
    """Sends requests over many connections until nobody accepts one; signals the process meanwhile. How many were answered."""
    answered: Counter[int] = Counter()

    async def client() -> None:
        async with httpx.AsyncClient(base_url=url, headers=bearer(key), timeout=20) as each:
            with suppress(httpx.ConnectError):
                while True:
                    answer = await each.get("/v1/contacts?limit=1")
                    assert answer.status_code == 200, answer.text
                    answered[answer.status_code] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(MANY):
            group.create_task(client())
        await asyncio.sleep(1)
        for signum in signals:
            process.send_signal(signum)
            await asyncio.sleep(0.2)
    return answered.total()


@asynccontextmanager
async def _piped(
    relata: Relata, settings: Mapping[str, str]
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str, "asyncio.Task[bytes]"]]:
    """A gateway that writes to a pipe, its address, and what it will have written."""
    [port] = find_free_ports(1)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "serve", "--only", "api"),
        env={**relata.stack.environment_of("gateway"), "PORT": str(port), **settings},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    written = asyncio.create_task(process.stdout.read())
    try:
        await _until(f"http://{HOST}:{port}/readyz", 200)
        yield process, f"http://{HOST}:{port}", written
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await written


@pytest.mark.parametrize(
    "signals", [[signal.SIGTERM], [signal.SIGTERM, signal.SIGINT]], ids=["asked once", "asked twice"]
)
async def test_asked_to_end_all_answer_what_was_begun(
    relata: Relata, key: str, signals: Sequence[signal.Signals]
) -> None:
    async with _piped(relata, _settings(SHUTDOWN_DELAY_SECONDS="1")) as (process, url, written):
        others = processes(process.pid)[1:]
        answered = await _under_load(process, url, key, *signals)
        async with asyncio.timeout(15):
            assert await process.wait() == 0
        assert not any(is_alive(other) for other in others)
        said = [json.loads(line) for line in (await written).splitlines()]
    told = [line for line in said if line["event"] == "request" and line["route"] == "/v1/contacts/*"]
    assert len(told) == answered >= MANY
    finished = [line["event"] for line in said if line["event"].startswith("Finished server process")]
    assert len(finished) == PROCESSES


async def test_who_does_not_want_to_wait_ends_all(relata: Relata, key: str) -> None:
    connection = await asyncpg.connect(relata.stack.database_url("contacts"))
    try:
        async with _piped(relata, _settings(SHUTDOWN_GRACE_SECONDS="1000")) as (process, url, _written):
            found = processes(process.pid)
            async with lines(url, key, PROCESSES) as opened:
                made = (await opened[0].client.post("/v1/contacts", json={"full_name": "李娜"})).json()
                async with connection.transaction():  # changes of it are under way for as long
                    await connection.execute("select from contact where id = $1 for update", made["id"])
                    path, body = f"/v1/contacts/{made['id']}", {"title": "经理"}
                    changes = [asyncio.create_task(line.client.patch(path, json=body)) for line in opened]
                    async with asyncio.timeout(30):
                        while process.returncode is None:
                            process.send_signal(signal.SIGINT)
                            await asyncio.sleep(0.3)
                    assert not any(is_alive(one) for one in found)
                    await asyncio.gather(*changes, return_exceptions=True)
    finally:
        await connection.close()
