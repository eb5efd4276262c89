"""The embedded server keeps what it acknowledged, recovers from every crash, and fails with one sentence."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import psutil
import pytest
from crm_kit.db.embedded import EmbeddedPostgres, EmbeddedPostgresError
from crm_kit.db.processes import is_alive


@pytest.fixture
def folder(open_folder: Path) -> Path:
    return open_folder


async def _count(server: EmbeddedPostgres) -> int:
    connection = await asyncpg.connect(server.superuser_url())
    try:
        return int(await connection.fetchval("select count(*) from kept"))
    finally:
        await connection.close()


async def _write(server: EmbeddedPostgres) -> None:
    connection = await asyncpg.connect(server.superuser_url())
    try:
        await connection.execute("create table if not exists kept (n int)")
        await connection.execute("insert into kept values (1)")
    finally:
        await connection.close()


def _processes(server: EmbeddedPostgres) -> list[psutil.Process]:
    assert server.pid is not None
    postmaster = psutil.Process(server.pid)
    return [postmaster, *postmaster.children(recursive=True)]


def _fails_with_one_sentence(server: EmbeddedPostgres, *words: str) -> None:
    with pytest.raises(EmbeddedPostgresError) as caught:
        server.start()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message
    assert server.pid is None


async def test_data_survive_a_stop_and_nothing_is_left_running(folder: Path) -> None:
    with EmbeddedPostgres(folder / "pg") as server:
        await _write(server)
        processes = _processes(server)
    assert not any(is_alive(process) for process in processes)
    with EmbeddedPostgres(folder / "pg") as server:
        assert await _count(server) == 1


async def test_an_acknowledged_write_survives_a_kill(folder: Path) -> None:
    server = EmbeddedPostgres(folder / "pg").start()
    await _write(server)
    processes = _processes(server)
    server.kill()
    assert not any(is_alive(process) for process in processes)
    with EmbeddedPostgres(folder / "pg") as again:
        assert await _count(again) == 1


async def test_durability_is_on_unless_given_up(folder: Path) -> None:
    with EmbeddedPostgres(folder / "pg") as server:
        connection = await asyncpg.connect(server.superuser_url())
        found = [
            await connection.fetchval(f"show {name}") for name in ("fsync", "synchronous_commit", "full_page_writes")
        ]
        await connection.close()
    assert found == ["on", "on", "on"]


async def test_text_is_unicode_in_code_point_order(folder: Path) -> None:
    with EmbeddedPostgres(folder / "pg", fast=True) as server:
        connection = await asyncpg.connect(server.superuser_url())
        rows = await connection.fetch("select t from unnest(array['é','王','a','B']) t order by t")
        upper = await connection.fetchval("select upper('é')")
        await connection.close()
    assert [row[0] for row in rows] == ["B", "a", "é", "王"]
    assert upper == "É"


async def test_no_access_without_the_password(folder: Path) -> None:
    with EmbeddedPostgres(folder / "pg", fast=True) as server:
        password_file = folder / "pg" / "superuser_password"
        assert password_file.stat().st_mode & 0o777 == 0o600
        url = server.superuser_url().replace(password_file.read_text(), "wrong")
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(url)


async def test_a_loopback_port_on_request(folder: Path, unused_tcp_port: int) -> None:
    with EmbeddedPostgres(folder / "pg", fast=True, port=unused_tcp_port) as server:
        password = (folder / "pg" / "superuser_password").read_text()
        connection = await asyncpg.connect(f"postgresql://postgres:{password}@127.0.0.1:{unused_tcp_port}/postgres")
        assert await connection.fetchval("select 1") == 1
        await connection.close()
        assert await _answers(server)


async def _answers(server: EmbeddedPostgres) -> bool:
    connection = await asyncpg.connect(server.superuser_url())
    await connection.close()
    return True


async def test_a_path_too_long_for_a_socket(folder: Path) -> None:
    with EmbeddedPostgres(folder / ("long" * 25) / "pg", fast=True) as server:
        assert await _answers(server)
        socket_dir = server.superuser_url().partition("?host=")[2]
        assert str(folder) not in socket_dir
    assert not await asyncio.to_thread(Path(socket_dir).exists)


def test_one_supervisor_a_folder(folder: Path) -> None:
    with EmbeddedPostgres(folder / "pg", fast=True):
        _fails_with_one_sentence(EmbeddedPostgres(folder / "pg"), "already in use", str(os.getpid()))


def test_a_server_that_somebody_else_started_is_left_alone(folder: Path) -> None:
    with EmbeddedPostgres(folder / "pg", fast=True) as server:
        (folder / "pg" / "lock").unlink()
        _fails_with_one_sentence(EmbeddedPostgres(folder / "pg"), "another PostgreSQL", str(server.pid))
        assert server.pid is not None


def test_an_interrupted_creation_is_begun_again(folder: Path) -> None:
    half = folder / "pg" / "cluster.new"
    half.mkdir(parents=True)
    (half / "postgresql.conf").write_text("half written")
    with EmbeddedPostgres(folder / "pg", fast=True) as server:
        assert server.pid is not None


@pytest.mark.parametrize("missing", ["PG_VERSION", "global/pg_control"])
def test_a_folder_that_lost_a_part_is_refused_and_kept(folder: Path, missing: str) -> None:
    EmbeddedPostgres(folder / "pg", fast=True).start().stop()
    (folder / "pg" / "cluster" / missing).unlink()
    _fails_with_one_sentence(EmbeddedPostgres(folder / "pg"), "incomplete")
    assert (folder / "pg" / "cluster" / "base").is_dir()


def test_data_of_another_version_are_refused(folder: Path) -> None:
    EmbeddedPostgres(folder / "pg", fast=True).start().stop()
    (folder / "pg" / "cluster" / "PG_VERSION").write_text("11\n")
    _fails_with_one_sentence(EmbeddedPostgres(folder / "pg"), "PostgreSQL 11")


def test_damaged_data_are_named_by_the_server(folder: Path) -> None:
    EmbeddedPostgres(folder / "pg", fast=True).start().stop()
    (folder / "pg" / "cluster" / "global" / "pg_control").write_bytes(b"\0" * 8192)
    _fails_with_one_sentence(EmbeddedPostgres(folder / "pg"), "PostgreSQL ended while starting")


async def test_a_stale_pid_file_that_names_a_living_stranger(folder: Path) -> None:
    server = EmbeddedPostgres(folder / "pg").start()
    await _write(server)
    pid_file = folder / "pg" / "cluster" / "postmaster.pid"
    text = pid_file.read_text()
    server.kill()
    stranger = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        pid_file.write_text(text.replace(text.split("\n")[0], str(stranger.pid), 1))
        with EmbeddedPostgres(folder / "pg") as again:
            assert await _count(again) == 1
        assert stranger.returncode is None
    finally:
        stranger.kill()
        await stranger.wait()


_SUPERVISOR = """
import sys, time
from pathlib import Path
from crm_kit.db.embedded import EmbeddedPostgres
print(EmbeddedPostgres(Path(sys.argv[1])).start().pid, flush=True)
time.sleep(300)
"""


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
async def test_it_ends_with_its_supervisor_and_the_next_one_takes_over(folder: Path, signum: int) -> None:
    supervisor = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _SUPERVISOR, str(folder / "pg"), stdout=subprocess.PIPE
    )
    assert supervisor.stdout is not None
    postmaster = psutil.Process(int(await supervisor.stdout.readline()))
    supervisor.send_signal(signum)
    await supervisor.communicate()
    # At once, while the orphan may still be writing its last checkpoint.
    with EmbeddedPostgres(folder / "pg") as server:
        assert server.pid != postmaster.pid
        await _write(server)
    assert not is_alive(postmaster)


def test_a_folder_without_permission(folder: Path) -> None:
    (folder / "pg").write_text("a file, not a folder")
    _fails_with_one_sentence(EmbeddedPostgres(folder / "pg"), str(folder / "pg"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends PostgreSQL another user")
async def test_below_a_folder_closed_to_others_the_data_go_elsewhere(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    with EmbeddedPostgres(closed / "pg", fast=True) as server:
        await _write(server)
    elsewhere = Path((closed / "pg" / "elsewhere").read_text().strip())
    try:
        with EmbeddedPostgres(closed / "pg", fast=True) as server:
            assert await _count(server) == 1
        assert closed.stat().st_mode & 0o777 == 0o700
    finally:
        shutil.rmtree(elsewhere)
