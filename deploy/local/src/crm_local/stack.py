"""The whole stack as one object: `make run`, the demo and the tests start the same."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from crm_local.child import Child, ForkedModule, Program, bound_log
from crm_local.configuration import MODULES, PROCESSES, Configuration
from crm_local.credentials import Credentials, ensure_credentials
from crm_local.database import Database
from crm_local.errors import StackError
from crm_local.fork_server import ForkServer
from crm_local.ports import HOST, find_free_ports, require_free, require_reachable
from crm_local.run_folder import RunFolder, write_json
from crm_local.tenant import Tenant, answers_ready, ensure_tenant, offer_sign_in

POSTGRES = "postgres"
_FORK_SERVER = "fork-server"
_PRELOADED = "LD_PRELOAD"
_READY_SECONDS = 90.0
# How long a service may finish the requests under way; less than `stop_seconds`.
_GRACE_SECONDS = 5
_LOG_CHECK_SECONDS = 2.0
_GATEWAYS = 2
"""Processes at the gateway's port, where there are twice as many cores: the other half is PostgreSQL's and the services' (ADR 0055)."""


def _quiet(_: str) -> None:
    return


class LocalStack:
    """PostgreSQL, gateway and services in one folder; an asynchronous context manager.

    `programs` replaces the command of a process by name (default `<module> serve`, forked), `environment`
    adds variables to all of them. `fast` gives up durability, for tests. Who has not stopped `stop_seconds` after
    SIGTERM is killed. `say` gets one line whenever something happens that a person should know.
    Create and use it in the main thread: its processes end with the thread that starts them.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        programs: Mapping[str, Sequence[str]] | None = None,
        environment: Mapping[str, str] | None = None,
        say: Callable[[str], None] = _quiet,
        stop_seconds: float = 8.0,
        fast: bool = False,
    ):
        self.configuration = configuration
        self.folder = RunFolder(configuration.run_dir.absolute())
        base = configuration.port_base
        ports = find_free_ports(len(PROCESSES)) if base is None else range(base, base + len(PROCESSES))
        self.ports = dict(zip(PROCESSES, ports, strict=True))
        self._programs = programs or {}
        self._environment = environment or {}
        self._say = say
        self._stop_seconds = stop_seconds
        self._told: dict[str, int] = {}
        self._database = Database(self.folder.postgres, self.folder.log_file(POSTGRES), say, self._write_dev, fast=fast)
        self._fork_server = ForkServer(self.folder.log_file(_FORK_SERVER))
        self._children: dict[str, Child] = {}
        self._credentials: Credentials | None = None
        self._tenant: Tenant | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def urls(self) -> dict[str, str]:
        """Base URL by process."""
        return {name: f"http://{HOST}:{port}" for name, port in self.ports.items()}

    @property
    def server_url(self) -> str:
        """The superuser's URL of the PostgreSQL server, for benchmarks and inspection."""
        return self._database.server_url

    def database_url(self, name: str) -> str:
        """As `server_url`, of one database."""
        return urlunsplit(urlsplit(self.server_url)._replace(path=f"/{name}"))

    @property
    def pids(self) -> dict[str, int]:
        """Process id by name, of those that run; `postgres` among them."""
        found = {name: child.pid for name, child in self._children.items()} | {POSTGRES: self._database.pid}
        return {name: pid for name, pid in found.items() if pid is not None}

    @property
    def dev(self) -> dict[str, object]:
        """What dev.json holds."""
        assert self._tenant is not None
        assert self._credentials is not None
        return {
            "gateway_url": self.urls["gateway"],
            "tenant_id": self._tenant.tenant_id,
            "api_key": self._tenant.api_key,
            "admin_key": self._credentials.admin_key,
            "services": self.urls,
            "pids": self.pids,
        }

    async def start(self) -> None:
        """Until all is ready and dev.json is written; raises `StackError`. Call `stop` also after that."""
        self.folder.open()
        write_json(self.folder.bus_file, {"bus": self.configuration.bus})
        require_free(self.ports.items())
        if self.configuration.bus == "kafka":
            await require_reachable(self.configuration.brokers)
        credentials = self._credentials = ensure_credentials(self.folder.secrets)
        if set(self._programs) != set(PROCESSES):
            await self._fork_server.prepare()  # it imports while the database starts
        await self._open_database(credentials)
        for name in PROCESSES:
            self._children[name] = Child(self._program(name, credentials), self._say, self._write_dev)
        for child in self._children.values():
            await child.start()
        await _all(child.wait_ready(_READY_SECONDS) for child in self._children.values())
        self._tenant = await ensure_tenant(self.folder, self.ports["gateway"], credentials.admin_key)
        self._write_dev()
        watched = [
            self._database.keep_running(),
            *(child.keep_running() for child in self._children.values()),
        ]
        self._tasks = [asyncio.create_task(task) for task in (*watched, self._bound_logs())]

    async def offer_sign_in(self) -> bool:
        """Lets the development issuer sign people in to the demo tenant; True where it may."""
        assert self._tenant is not None
        return await offer_sign_in(self.ports["gateway"], self._tenant, self.urls["gateway"])

    async def _open_database(self, credentials: Credentials) -> None:
        await self._database.start()
        await self._database.provision(credentials)

    async def stop(self) -> None:
        """Services first, then PostgreSQL; bounded in time; no process is left."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(child.stop(self._stop_seconds) for child in self._children.values()))
        await self._fork_server.stop()
        await self._database.stop()
        if self.folder.is_open:
            self.folder.dev_file.unlink(missing_ok=True)
            self.folder.close()

    def kill_all(self) -> None:
        """End every process at once; `stop` may be under way."""
        for child in self._children.values():
            child.signal(signal.SIGKILL)
        self._database.kill()

    async def wait(self) -> None:
        """Runs until the supervision itself fails, which raises its error."""
        await asyncio.gather(*self._tasks)

    def kill(self, name: str, signum: signal.Signals = signal.SIGKILL) -> int:
        """Signal a process by name (also `postgres`); it is then started again. Returns the old id."""
        pid = self.pids[name]
        self._member(name).signal(signum)
        return pid

    async def wait_restarted(self, name: str, old_pid: int, seconds: float = 30.0) -> None:
        """Wait until `name` runs as another process than `old_pid` and is ready; raises `StackError`."""
        deadline = time.monotonic() + seconds
        while self._told.get(name, old_pid) == old_pid or not await self._is_ready(name):
            if time.monotonic() > deadline:
                raise StackError(f"{name} was not ready again after {seconds:.0f} s")
            await asyncio.sleep(0.05)

    async def restart(self, name: str) -> None:
        """Kill a process by name and wait until it is ready again."""
        await self.wait_restarted(name, self.kill(name))

    async def take_down(self, name: str, signum: signal.Signals = signal.SIGKILL) -> None:
        """End a process by name, and keep it down until `bring_back`."""
        self._member(name).hold()
        self.kill(name, signum)
        await self._member(name).wait_ended()

    async def bring_back(self, name: str, seconds: float = 30.0) -> None:
        """Undo `take_down`, and wait until it is ready."""
        self._member(name).release()
        await self.wait_restarted(name, 0, seconds)

    def _member(self, name: str) -> Child | Database:
        return self._database if name == POSTGRES else self._children[name]

    async def _is_ready(self, name: str) -> bool:
        if name == POSTGRES:
            return all([await answers_ready(port) for port in self.ports.values()])
        return await answers_ready(self.ports[name])

    def _write_dev(self) -> None:
        if self._tenant is not None:
            write_json(self.folder.dev_file, self.dev)
            self._told = self.pids

    async def _bound_logs(self) -> None:
        while True:
            await asyncio.sleep(_LOG_CHECK_SECONDS)
            for name in (*PROCESSES, POSTGRES, _FORK_SERVER):
                await asyncio.to_thread(bound_log, self.folder.log_file(name))

    def _program(self, name: str, credentials: Credentials) -> Program:
        environment = self._environment_of(name, credentials, self._database.server_url)
        command: Sequence[str] | ForkedModule | None = self._programs.get(name)
        if command is None:
            module, arguments = MODULES[name], ("serve",)
            # The loader looks at a preloaded library when a program is executed, not at a fork.
            is_executed = _PRELOADED in environment
            forked = ForkedModule(self._fork_server, module, arguments)
            command = (sys.executable, "-m", module, *arguments) if is_executed else forked
        return Program(
            name=name,
            command=command,
            environment=environment,
            port=self.ports[name],
            log_file=self.folder.log_file(name),
        )

    def environment_of(self, name: str, server_url: str | None = None) -> dict[str, str]:
        """The settings that a service's process has: for running another of its commands beside it.

        `server_url`: the superuser's, where another process runs the stack.
        """
        credentials = ensure_credentials(self.folder.secrets)
        return self._environment_of(name, credentials, server_url or self._database.server_url)

    def _environment_of(self, name: str, credentials: Credentials, server_url: str) -> dict[str, str]:
        environment = {
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            "ENVIRONMENT": "development",
            "MIGRATE_AT_START": "true",
            "HOST": HOST,
            "PORT": str(self.ports[name]),
            "INTERNAL_JWKS_FILE": str(credentials.jwks_file),
            "SHUTDOWN_GRACE_SECONDS": str(_GRACE_SECONDS),
            "PUBLIC_URL": self.urls["gateway"],
            "BUS": self.configuration.bus,
            "EVENT_LOG_URL": credentials.event_log.url(server_url),
            **credentials.settings_of(name, server_url),
        }
        if self.configuration.bus == "kafka":
            environment["KAFKA_BOOTSTRAP_SERVERS"] = self.configuration.kafka
        if name == "gateway":
            # One key serves all of a developer's programs: its quota is there to be seen, not to be in the way.
            environment["RATE_LIMIT_QUOTA"] = "1000000"
            environment["RATE_LIMIT_TENANT_QUOTA"] = "10000000"
            environment["FAILED_ATTEMPTS_QUOTA"] = "1000000"
            environment["DEVELOPMENT_ISSUER"] = "true"
            environment.setdefault("WEB_CONCURRENCY", str(max(1, min(_GATEWAYS, (os.cpu_count() or 1) // 2))))
            environment.setdefault("OUTBOUND_TRUSTED_HOSTS", HOST)  # where that issuer is, and receivers of webhooks
            environment |= {f"{other.upper()}_URL": url for other, url in self.urls.items() if other != name}
        return {**environment, **self._environment}


async def _all(waits: Iterable[Coroutine[None, None, None]]) -> None:
    """All at the same time; the first error ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            for wait in waits:
                group.create_task(wait)
    except* StackError as failed:
        raise failed.exceptions[0] from None
