"""Processes as the chart's Deployments have them: one for each role of each service, each of a release of its own."""

import asyncio
import signal
import sys
from collections.abc import Sequence
from typing import Final

from crm_local.child import Child
from crm_local.configuration import MODULES, PROCESSES, Configuration

from crm_testkit.beside import process_of
from crm_testkit.rolling.balanced import BalancedStack
from crm_testkit.rolling.release import Release

ROLES: Final = ("api", "relay", "consume", "timers")
_READY_SECONDS: Final = 120.0
_STOP_SECONDS: Final = 40.0
_ENVIRONMENT: Final = {
    "RATE_LIMIT_QUOTA": "1000000",
    "SHUTDOWN_DELAY_SECONDS": "5",
    "SHUTDOWN_GRACE_SECONDS": "10",
    "RECONCILE_MAX_REPAIRS": "0",
}
"""The chart's, and what `docs/guides/upgrading.md` says for as long as two releases serve."""

Place = tuple[str, str]
"""A service and a role of it."""


class Fleet(BalancedStack):
    """Starts with all processes of `release`, behind balancers; `replace` takes one after the other to another release.

    What answers HTTP is reached through its service's balancer alone, by clients and by the gateway.
    """

    def __init__(self, configuration: Configuration, release: Release, replication_factor: int = 1) -> None:
        super().__init__(
            configuration,
            {**_ENVIRONMENT, "PYTHONPATH": release.python_path},
            replication_factor=replication_factor,
            programs={name: _command(name, "api") for name in PROCESSES},
            stop_seconds=_STOP_SECONDS,
        )
        self._first = release
        self._processes: dict[Place, Child] = {}

    async def start(self) -> None:
        await super().start()
        for name in PROCESSES:
            for role in ROLES[1:]:
                self._processes[name, role] = await self._started(name, role, self._first)

    async def stop(self) -> None:
        running = list(self._processes.values())
        await asyncio.gather(*(process.stop(_STOP_SECONDS) for process in running))
        await super().stop()

    async def migrate(self, name: str, release: Release) -> None:
        """The job that the chart runs before an upgrade. Raises RuntimeError with what it said."""
        process = await asyncio.create_subprocess_exec(
            *_command(name, "migrate"),
            env=self._environment_in(name, release),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"{name} cannot be migrated: {said.decode()}")

    async def replace(self, name: str, role: str, release: Release) -> None:
        """A new process beside the old one; once it is ready, the old one gets SIGTERM: `maxSurge: 1, maxUnavailable: 0`."""
        new = await self._started(name, role, release)
        if role == "api":
            self.balancers[name].add(new.program.port)
            await self.balancers[name].until_ready(new.program.port)
        old = self._processes.pop((name, role), None)
        self._processes[name, role] = new
        if old is None:
            await self.take_down(name, signal.SIGTERM)
            return
        await old.stop(_STOP_SECONDS)
        if role == "api":
            self.balancers[name].remove(old.program.port)

    def dead(self) -> list[str]:
        """Processes that have ended though nobody asked them to."""
        return [f"{name} {role}" for (name, role), process in self._processes.items() if process.pid is None]

    async def _started(self, name: str, role: str, release: Release) -> Child:
        process = process_of(self, name, _command(name, role), self._environment_in(name, release))
        await process.start()
        await process.wait_ready(_READY_SECONDS)
        return process

    def _environment_in(self, name: str, release: Release) -> dict[str, str]:
        environment = {**self.environment_of(name), "PYTHONPATH": release.python_path}
        return {**environment, "MIGRATE_AT_START": "false"}


def _command(name: str, role: str) -> Sequence[str]:
    arguments = ("serve", "--only", "api") if role == "api" else (role,)
    return (sys.executable, "-m", MODULES[name], *arguments)
