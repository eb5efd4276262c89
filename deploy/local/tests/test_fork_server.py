"""Processes forked from one that has imported: they end, fail and are killed as executed ones are."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from crm_local.fork_server import ForkedProcess, ForkServer, Order


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ForkServer]:
    server = ForkServer(tmp_path / "fork-server.log")
    yield server
    await server.stop()


async def _start(server: ForkServer, folder: Path, module: str, *arguments: str) -> ForkedProcess:
    log_file = str(folder / f"{module}.log")
    return await server.start(
        Order(module=module, arguments=list(arguments), environment={"TZ": "UTC"}, log_file=log_file)
    )


@pytest.mark.parametrize(
    ("module", "arguments", "code", "said"),
    [
        ("calendar", ["2026"], 0, "2026"),
        ("calendar", ["--encoding"], 2, "expected one argument"),
        ("nowhere_at_all", [], 1, "No module named nowhere_at_all"),
        ("py_compile", ["nowhere.py"], 1, "nowhere.py"),
    ],
)
async def test_its_end_and_its_output_are_those_of_an_executed_one(
    server: ForkServer, tmp_path: Path, module: str, arguments: list[str], code: int, said: str
) -> None:
    process = await _start(server, tmp_path, module, *arguments)
    async with asyncio.timeout(20):
        assert await process.wait() == code
    assert said in (tmp_path / f"{module}.log").read_text()
    with pytest.raises(ProcessLookupError):
        process.send_signal(signal.SIGTERM)


async def test_it_has_the_environment_of_its_order_alone(server: ForkServer, tmp_path: Path) -> None:
    process = await _start(server, tmp_path, "timeit", "-n1", "-r1", "import os; print(dict(os.environ))")
    async with asyncio.timeout(20):
        assert await process.wait() == 0
    assert (tmp_path / "timeit.log").read_text().startswith("{'TZ': 'UTC'}\n")


async def test_many_at_once_are_each_their_own(server: ForkServer, tmp_path: Path) -> None:
    asked = (_start(server, tmp_path, "http.server", "0", "--bind", "127.0.0.1") for _ in range(5))
    processes = await asyncio.gather(*asked)
    assert len({process.pid for process in processes}) == 5
    processes[0].send_signal(signal.SIGKILL)
    async with asyncio.timeout(10):
        assert await processes[0].wait() == -signal.SIGKILL
    assert [process.returncode for process in processes[1:]] == [None] * 4
    await server.stop()
    async with asyncio.timeout(10):
        assert [await process.wait() for process in processes[1:]] == [-signal.SIGKILL] * 4


async def test_where_it_is_killed_its_processes_end_and_the_next_starts_it_again(
    server: ForkServer, tmp_path: Path
) -> None:
    process = await _start(server, tmp_path, "http.server", "0", "--bind", "127.0.0.1")
    forked = psutil.Process(process.pid)
    parent = forked.parent()
    assert parent is not None
    parent.kill()
    async with asyncio.timeout(10):
        assert await process.wait() == -signal.SIGKILL
        while forked.is_running() and forked.status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.01)
    again = await _start(server, tmp_path, "calendar", "2026")
    async with asyncio.timeout(20):
        assert await again.wait() == 0
