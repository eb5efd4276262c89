"""The stack's PostgreSQL: started, provisioned, and started again when it ends."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import asyncpg
from crm_kit.db.embedded import EmbeddedPostgres, EmbeddedPostgresError
from crm_kit.db.provision import provision

from crm_local.credentials import Credentials
from crm_local.errors import StackError

_POLL_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 10.0


class Database:
    """The server in `folder`; what blocks runs in threads, except the launch (see `crm_kit.db.processes`)."""

    def __init__(
        self,
        folder: Path,
        log_file: Path,
        say: Callable[[str], None],
        changed: Callable[[], None],
        *,
        fast: bool,
    ):
        self._server = EmbeddedPostgres(folder, log_file=log_file, fast=fast)
        self._say = say
        self._changed = changed
        self._may_run = asyncio.Event()
        self._may_run.set()

    @property
    def pid(self) -> int | None:
        """None while it does not run."""
        return self._server.pid

    @property
    def server_url(self) -> str:
        """The superuser's URL; the roles' URLs are derived from it."""
        return self._server.superuser_url()

    async def start(self) -> None:
        """Start it and wait until it answers; raises `StackError`."""
        try:
            await asyncio.to_thread(self._server.prepare)
            self._server.launch()
            await asyncio.to_thread(self._server.wait_ready)
        except EmbeddedPostgresError as error:
            await asyncio.to_thread(self._server.kill)
            raise StackError(str(error)) from error

    async def provision(self, credentials: Credentials) -> None:
        """Create databases and roles; raises `StackError`."""
        try:
            await provision(self.server_url, *credentials.databases.values(), credentials.event_log)
        except (asyncpg.PostgresError, OSError) as error:
            raise StackError(f"PostgreSQL could not be given its databases and roles: {error}") from error

    async def keep_running(self) -> None:
        """Start it again whenever it ends."""
        while True:
            if (pid := self._server.pid) is not None:
                last = pid
                await asyncio.sleep(_POLL_SECONDS)
                continue
            self._changed()
            await self._may_run.wait()
            await asyncio.to_thread(self._server.kill)
            try:
                await self.start()
            except StackError as error:
                self._say(f"PostgreSQL ended and did not start again: {error}")
                await asyncio.sleep(_LONGEST_PAUSE_SECONDS)
                continue
            self._say(f"PostgreSQL (process {last}) ended; started again as process {self.pid}")
            self._changed()

    async def wait_ended(self) -> None:
        """Wait until the server that runs now has ended."""
        while self.pid is not None:
            await asyncio.sleep(0.01)

    def hold(self) -> None:
        """Let it stay down when it ends, until `release`."""
        self._may_run.clear()

    def release(self) -> None:
        """Undo `hold`."""
        self._may_run.set()

    def signal(self, signum: signal.Signals) -> None:
        """Send the postmaster a signal, if it runs."""
        if (pid := self._server.pid) is not None:
            os.kill(pid, signum)

    async def stop(self) -> None:
        """Write everything and end, within bounds; then by force."""
        await asyncio.to_thread(self._server.stop)

    def kill(self) -> None:
        """End it at once."""
        self._server.kill()
