"""`python -m crm_local run` as a person meets it: what it prints, how it ends, how it fails."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from crm_kit.db.processes import is_alive
from crm_local.configuration import PROCESSES, Configuration, read_configuration
from crm_local.errors import StackError
from crm_local.ports import find_free_ports

STAND_IN = Path(__file__).with_name("stand_in.py")
# The command line with stand-ins in place of the real services.
RUN = f"""
import sys
from crm_local import __main__ as entry
from crm_local.stack import LocalStack
programs = {{name: (sys.executable, {str(STAND_IN)!r}, name) for name in {PROCESSES!r}}}
sys.exit(entry.main(["run"], lambda configuration, say: LocalStack(configuration, programs=programs, say=say)))
"""


async def start(folder: Path, **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        RUN,
        env={**os.environ, "RUN_DIR": str(folder / "run"), "STAND_IN_FOLDER": str(folder), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def wait_for_dev(folder: Path) -> dict[str, dict[str, int]]:
    await until((folder / "run" / "dev.json").exists)
    dev: dict[str, dict[str, int]] = json.loads((folder / "run" / "dev.json").read_text())
    return dev


async def wait_all_gone(pids: list[int]) -> None:
    await until(lambda: not any(psutil.pid_exists(pid) and is_alive(psutil.Process(pid)) for pid in pids))


async def fails(folder: Path, **environment: str) -> str:
    process = await start(folder, **environment)
    async with asyncio.timeout(60):
        _, errors = await process.communicate()
    text = errors.decode()
    assert process.returncode == 1, text
    assert "Traceback" not in text
    assert text.startswith("Relata cannot run: ")
    return text


@pytest.fixture
def port_base() -> str:
    return str(find_free_ports(5)[0])


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
async def test_it_tells_how_to_use_it_and_leaves_no_process(open_folder: Path, port_base: str, signum: int) -> None:
    process = await start(open_folder, PORT_BASE=port_base)
    pids = list((await wait_for_dev(open_folder))["pids"].values())
    process.send_signal(signum)
    async with asyncio.timeout(20):
        output, errors = await process.communicate()
    text = output.decode()
    assert process.returncode == 0
    assert errors == b""
    for words in (f"http://127.0.0.1:{port_base}/docs", "key_1", "curl -s ", "Stopping"):
        assert words in text
    await wait_all_gone(pids)
    assert not (open_folder / "run" / "dev.json").exists()


async def test_interrupted_while_starting_it_leaves_no_process(open_folder: Path, port_base: str) -> None:
    process = await start(open_folder, PORT_BASE=port_base)
    assert process.pid is not None
    await until((open_folder / "run" / "postgres").exists)
    await asyncio.sleep(0.3)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(20):
        _, errors = await process.communicate()
    assert errors == b""
    assert not any(is_alive(child) for child in children)
    process = await start(open_folder, PORT_BASE=port_base)
    await wait_for_dev(open_folder)
    process.send_signal(signal.SIGINT)
    await process.communicate()


async def test_killed_it_takes_all_with_it_and_the_next_start_recovers(open_folder: Path, port_base: str) -> None:
    process = await start(open_folder, PORT_BASE=port_base)
    first = await wait_for_dev(open_folder)
    process.kill()
    await process.communicate()
    process = await start(open_folder, PORT_BASE=port_base)
    await wait_all_gone(list(first["pids"].values()))
    dev_file = open_folder / "run" / "dev.json"
    await until(lambda: dev_file.exists() and json.loads(dev_file.read_text())["pids"] != first["pids"])
    dev = await wait_for_dev(open_folder)
    assert dev["api_key"] == first["api_key"]
    process.send_signal(signal.SIGINT)
    await process.communicate()
    assert process.returncode == 0


async def test_a_second_start(open_folder: Path, port_base: str) -> None:
    process = await start(open_folder, PORT_BASE=port_base)
    await wait_for_dev(open_folder)
    assert f"(process {process.pid})" in await fails(open_folder, PORT_BASE=port_base)
    other = open_folder / "other"
    other.mkdir(mode=0o711)
    assert re.search(rf"port {port_base} \(gateway\) is taken by process \d+ ", await fails(other, PORT_BASE=port_base))
    process.send_signal(signal.SIGINT)
    await process.communicate()


async def test_a_folder_that_is_a_file(open_folder: Path) -> None:
    (open_folder / "run").touch()
    assert str(open_folder / "run") in await fails(open_folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_folder_without_permission(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o500)  # noqa: PTH101 in an async function
    assert "Permission denied" in await fails(tmp_path)


async def test_a_half_written_data_folder(open_folder: Path, port_base: str) -> None:
    cluster = open_folder / "run" / "postgres" / "cluster"
    cluster.mkdir(parents=True)
    assert "incomplete" in await fails(open_folder, PORT_BASE=port_base)


async def test_damaged_secrets(open_folder: Path, port_base: str) -> None:
    secrets = open_folder / "run" / "secrets"
    secrets.mkdir(parents=True)
    (secrets / "credentials.json").write_text('{"admin_')
    assert "credentials.json is damaged" in await fails(open_folder, PORT_BASE=port_base)


async def test_an_unreachable_kafka(open_folder: Path, port_base: str) -> None:
    free = find_free_ports(1)[0]
    text = await fails(open_folder, PORT_BASE=port_base, BUS="kafka", KAFKA_BOOTSTRAP_SERVERS=f"127.0.0.1:{free}")
    assert f"no Kafka answers at 127.0.0.1:{free}" in text


async def test_a_process_that_fails_at_once(open_folder: Path, port_base: str) -> None:
    (open_folder / "contacts.fails").touch()
    text = await fails(open_folder, PORT_BASE=port_base)
    assert "contacts ended with code 1" in text
    assert "'contact' is missing" in text


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"PORT_BASE": "http"}, "PORT_BASE"),
        ({"PORT_BASE": "65535"}, "PORT_BASE"),
        ({"BUS": "rabbit"}, "BUS"),
        ({"BUS": "kafka"}, "KAFKA_BOOTSTRAP_SERVERS"),
        ({"BUS": "kafka", "KAFKA_BOOTSTRAP_SERVERS": "localhost"}, "host:port"),
    ],
)
def test_a_wrong_setting_is_named(environment: dict[str, str], words: str) -> None:
    with pytest.raises(StackError, match=words):
        read_configuration(environment)


def test_the_defaults() -> None:
    assert read_configuration({}) == Configuration(Path(".run").absolute(), port_base=8080)
