"""A PgBouncer that lends sessions by transaction, in front of the tests' PostgreSQL, where the machine has one that is new enough."""

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from crm_testkit.kafka_broker import free_ports
from crm_testkit.postgres import make_open_folder

OLDEST: Final = (1, 21)
"""The first that carries prepared statements from one session to another."""


def lacking() -> str | None:
    """Why there is none to test with; None where there is one."""
    program = shutil.which("pgbouncer")
    if program is None:
        return "there is no PgBouncer on this machine"
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"PgBouncer (\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < OLDEST:
        return f"PgBouncer is too old for prepared statements: {said.partition(chr(10))[0]}; 1.21 is needed"
    return None


@asynccontextmanager
async def running_pgbouncer(url: str, *, sessions: int) -> AsyncIterator[str]:
    """The way through it that `url` is without it; all of its clients share so many `sessions` of PostgreSQL."""
    parts = urlsplit(url)
    options = parse_qs(parts.query)
    server = f"host={parts.hostname or options['host'][0]} port={parts.port or options.get('port', ['5432'])[0]}"
    settings = {
        "pool_mode": "transaction",
        "default_pool_size": sessions,
        "max_client_conn": 500,
        "max_prepared_statements": 200,
    }
    users = {unquote(parts.username or ""): unquote(parts.password or "")}
    with make_open_folder() as folder:
        async with pooled(folder, {parts.path.removeprefix("/"): server}, users, settings) as port:
            yield f"postgresql://{parts.username}:{parts.password}@127.0.0.1:{port}{parts.path}"


@asynccontextmanager
async def pooled(
    folder: Path, databases: Mapping[str, str], users: Mapping[str, str], settings: Mapping[str, object]
) -> AsyncIterator[int]:
    """The port of one with these settings. `databases`: where each is; `users`: passwords by name. `folder` is open to others."""
    program = shutil.which("pgbouncer")
    assert program is not None, "the test asks first"
    [port] = free_ports(1)
    (folder / "users").write_text("".join(f'"{name}" "{password}"\n' for name, password in users.items()))
    given = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "scram-sha-256",
        "auth_file": folder / "users",
        **settings,
    }
    file = folder / "pgbouncer.ini"
    lines = ["[databases]", *_spelled(databases), "[pgbouncer]", *_spelled(given)]
    file.write_text("".join(f"{line}\n" for line in lines))
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen([program, "-q", *user, str(file)])  # noqa: ASYNC220  # returns at once
    try:
        await _until_listening(port)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _spelled(values: Mapping[str, object]) -> list[str]:
    return [f"{name} = {value}" for name, value in values.items()]


async def _until_listening(port: int) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
