"""The stack starts everything, keeps it running, gives each process its own secrets only, and leaves nothing."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.request import urlopen

import asyncpg
import psutil
import pytest
from crm_kit.db.processes import is_alive
from crm_local.child import LOG_BYTES, bound_log
from crm_local.configuration import PROCESSES, Configuration
from crm_local.errors import StackError
from crm_local.ports import find_free_ports
from crm_local.run_folder import temporary_run_dir
from crm_local.stack import LocalStack

STAND_IN = Path(__file__).with_name("stand_in.py")


def make_stack(folder: Path, said: list[str] | None = None, port_base: int | None = None) -> LocalStack:
    lines = [] if said is None else said
    return LocalStack(
        Configuration(folder / "run", port_base=port_base),
        programs={name: (sys.executable, str(STAND_IN), name) for name in PROCESSES},
        environment={"STAND_IN_FOLDER": str(folder)},
        say=lines.append,
        stop_seconds=2.0,
        fast=True,
    )


@pytest.fixture(scope="module")
async def stack() -> AsyncIterator[LocalStack]:
    """Shared: each test leaves it running as it found it."""
    with temporary_run_dir() as folder:
        async with make_stack(folder) as running:
            yield running


async def _environment(stack: LocalStack, name: str) -> dict[str, str]:
    def fetch() -> dict[str, str]:
        with urlopen(f"{stack.urls[name]}/environment") as answer:
            found: dict[str, str] = json.load(answer)
            return found

    return await asyncio.to_thread(fetch)


def _dev(stack: LocalStack) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = json.loads(stack.folder.dev_file.read_text())
    return found


async def _said(lines: list[str], *words: str) -> str:
    async with asyncio.timeout(20):
        while True:
            for line in lines:
                if all(word in line for word in words):
                    return line
            await asyncio.sleep(0.02)


async def test_dev_json_tells_all_and_is_private(stack: LocalStack) -> None:
    dev = json.loads(stack.folder.dev_file.read_text())
    assert dev == stack.dev
    assert set(dev) == {"gateway_url", "tenant_id", "api_key", "admin_key", "services", "pids"}
    assert dev["gateway_url"] == dev["services"]["gateway"]
    assert set(dev["services"]) == set(PROCESSES)
    assert set(dev["pids"]) == {*PROCESSES, "postgres"}
    assert all(psutil.pid_exists(pid) for pid in dev["pids"].values())
    for file in (stack.folder.dev_file, stack.folder.tenant_file, *stack.folder.secrets.iterdir()):
        assert file.stat().st_mode & 0o777 == 0o600


async def test_each_process_gets_its_own_secrets_only(stack: LocalStack) -> None:
    gateway = await _environment(stack, "gateway")
    contacts = await _environment(stack, "contacts")
    assert {"GATEWAY_DATABASE_URL", "CONTACTS_URL", "ADMIN_KEY", "SIGNING_KEY_FILE"} <= set(gateway)
    assert {"CONTACTS_DATABASE_URL", "CONTACTS_SYSTEM_DATABASE_URL", "CONTACTS_OWNER_DATABASE_URL"} <= set(contacts)
    assert not {"ADMIN_KEY", "SIGNING_KEY_FILE", "GATEWAY_DATABASE_URL", "TICKETS_DATABASE_URL"} & set(contacts)
    assert gateway["SECRET"] != contacts["SECRET"]
    connection = await asyncpg.connect(contacts["CONTACTS_DATABASE_URL"])
    assert await connection.fetchval("select current_user") == "contacts_app"
    await connection.close()
    public = json.loads(await asyncio.to_thread(Path(contacts["INTERNAL_JWKS_FILE"]).read_text))
    private = json.loads(await asyncio.to_thread(Path(gateway["SIGNING_KEY_FILE"]).read_text))
    assert "d" in private
    assert public == {"keys": [{name: value for name, value in private.items() if name != "d"}]}


@pytest.mark.parametrize("name", ["contacts", "gateway", "postgres"])
async def test_what_dies_is_started_again_and_dev_json_says_so(stack: LocalStack, name: str) -> None:
    before = _dev(stack)["pids"]
    async with asyncio.timeout(5):
        await stack.wait_restarted(name, stack.kill(name))
    after = _dev(stack)["pids"]
    assert after[name] != before[name]
    assert {**after, name: 0} == {**before, name: 0}


async def test_a_process_can_be_held_down(stack: LocalStack) -> None:
    await stack.take_down("tickets")
    await asyncio.sleep(0.5)
    assert "tickets" not in _dev(stack)["pids"]
    await stack.bring_back("tickets")
    assert "tickets" in _dev(stack)["pids"]


async def test_a_crash_loop_is_slowed_down_and_told(open_folder: Path) -> None:
    said: list[str] = []
    async with make_stack(open_folder, said) as stack:
        (open_folder / "contacts.ends").touch()
        stack.kill("contacts")
        await _said(said, "contacts", "ended with code 7", "3 times in a row", "ends in half a second")
        (open_folder / "contacts.ends").unlink()
        async with asyncio.timeout(10):
            await stack.wait_restarted("contacts", 0)


async def test_the_demo_tenant_and_the_secrets_stay(open_folder: Path) -> None:
    async with make_stack(open_folder) as stack:
        first = stack.dev
        pids = stack.pids
    assert not stack.folder.dev_file.exists()
    assert not any(psutil.pid_exists(pid) and is_alive(psutil.Process(pid)) for pid in pids.values())
    async with make_stack(open_folder) as stack:
        for name in ("tenant_id", "api_key", "admin_key"):
            assert stack.dev[name] == first[name]


async def test_killed_while_creating_the_tenant_the_next_start_makes_no_second_one(open_folder: Path) -> None:
    (open_folder / "die_after_commit").touch()
    with pytest.raises(StackError, match="gateway did not answer"):
        await make_stack(open_folder).__aenter__()
    async with make_stack(open_folder) as stack:
        assert stack.dev["tenant_id"] == "tenant_1"


async def test_a_tenant_that_the_gateway_no_longer_knows_is_made_anew(open_folder: Path) -> None:
    async with make_stack(open_folder):
        pass
    (open_folder / "tenants.json").write_text("{}")
    async with make_stack(open_folder) as stack:
        stored = json.loads((open_folder / "tenants.json").read_text())
        assert [tenant["api_key"] for tenant in stored.values()] == [stack.dev["api_key"]]


async def test_a_process_that_fails_at_once_is_named_with_its_last_words(open_folder: Path) -> None:
    (open_folder / "contacts.fails").touch()
    stack = make_stack(open_folder)
    with pytest.raises(StackError, match=r"contacts ended with code 1 while starting:\n.*'contact' is missing"):
        await stack.__aenter__()
    assert stack.pids == {}


async def test_one_that_ignores_its_end_is_killed(open_folder: Path) -> None:
    (open_folder / "pipeline.hangs").touch()
    said: list[str] = []
    stack = await make_stack(open_folder, said).__aenter__()
    process = psutil.Process(stack.pids["pipeline"])
    async with asyncio.timeout(12):
        await stack.stop()
    assert not is_alive(process)
    assert any("pipeline did not stop" in line for line in said)


async def test_a_second_start_in_the_folder_names_the_first(stack: LocalStack) -> None:
    with pytest.raises(StackError, match="already runs in"):
        await make_stack(stack.folder.path.parent).__aenter__()
    assert set(stack.pids) == {*PROCESSES, "postgres"}
    assert stack.folder.dev_file.exists()


async def test_a_taken_port_is_named_with_its_holder(stack: LocalStack, open_folder: Path) -> None:
    taken = stack.ports["contacts"]
    with pytest.raises(StackError, match=rf"port {taken} \(gateway\) is taken by process {stack.pids['contacts']} "):
        await make_stack(open_folder, port_base=taken).__aenter__()


def test_free_ports_are_neighbours() -> None:
    ports = find_free_ports(5)
    assert ports == list(range(ports[0], ports[0] + 5))


def test_a_log_is_bounded_and_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * LOG_BYTES)
        bound_log(log)
        assert log.stat().st_size == 0
        writer.write(b"on")
        bound_log(log)
    assert log.read_bytes() == b"on"
    assert (tmp_path / "a.log.1").stat().st_size == LOG_BYTES


async def test_a_signal_by_name(stack: LocalStack) -> None:
    old = stack.kill("campaigns", signal.SIGTERM)
    await stack.wait_restarted("campaigns", old)
