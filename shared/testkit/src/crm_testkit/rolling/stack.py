"""A stack of which each service may run in two releases at once, behind one address."""

import asyncio
import signal
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Final

import httpx
from crm_kit.http.principal import Principal, TokenMint
from crm_local.child import Child
from crm_local.configuration import MODULES, Configuration
from crm_local.ports import HOST

from crm_testkit.beside import process_of
from crm_testkit.rolling.balanced import BalancedStack
from crm_testkit.rolling.release import Release

_READY_SECONDS: Final = 90.0
_STOP_SECONDS: Final = 30.0
_ENVIRONMENT: Final = {
    "RATE_LIMIT_QUOTA": "1000000",
    "SHUTDOWN_DELAY_SECONDS": "3",
    "RECONCILE_INTERVAL_SECONDS": "0",
}


class RollingStack(BalancedStack):
    """Starts with this release. `start_new` and its like go over to `release`, and back; the databases are the same."""

    def __init__(self, configuration: Configuration, release: Release) -> None:
        super().__init__(configuration, _ENVIRONMENT, stop_seconds=_STOP_SECONDS)
        self._release = release
        self._new: dict[str, Child] = {}

    async def stop(self) -> None:
        await asyncio.gather(*(child.stop(_STOP_SECONDS) for child in self._new.values()))
        await super().stop()

    async def start_new(self, *names: str) -> None:
        """Starts processes of the other release beside those that there are, and waits until they are ready."""
        for name in names:
            command = (sys.executable, "-m", MODULES[name], "serve")
            self._new[name] = process_of(self, name, command, self.environment_of_new(name))
            await self._new[name].start()
        await asyncio.gather(*(self._new[name].wait_ready(_READY_SECONDS) for name in names))
        ports = {name: self._new[name].program.port for name in names}
        for name, port in ports.items():
            self.balancers[name].add(port)
        await asyncio.gather(*(self.balancers[name].until_ready(port) for name, port in ports.items()))

    async def end_new(self, *names: str) -> None:
        """SIGTERM, and waits until they have ended."""
        await asyncio.gather(*(self._new.pop(name).stop(_STOP_SECONDS) for name in names))

    async def start_old(self, *names: str) -> None:
        """Starts this release again, and waits until it is ready."""
        await asyncio.gather(*(self.bring_back(name, _READY_SECONDS) for name in names))
        await asyncio.gather(*(self.balancers[name].until_ready(self.ports[name]) for name in names))

    async def end_old(self, *names: str) -> None:
        """SIGTERM for this release's processes, and waits until they have ended."""
        await asyncio.gather(*(self.take_down(name, signal.SIGTERM) for name in names))

    def environment_of_new(self, name: str, release: Release | None = None) -> dict[str, str]:
        """What a process of the other release is started with."""
        return {**self.environment_of(name), "PYTHONPATH": (release or self._release).python_path}

    async def run_new(self, name: str, *arguments: str, release: Release | None = None) -> tuple[int, str]:
        """Another command of the other release, or of a third: its exit code and what it said."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", MODULES[name], *arguments),
            env=self.environment_of_new(name, release),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, said.decode()

    def door(self, name: str, tenant_id: str, *, new: bool) -> httpx.AsyncClient:
        """Straight to the process of one release, in the gateway's name."""
        port = self._new[name].program.port if new else self.ports[name]
        assert self._credentials is not None
        auth = _InternalToken(self._credentials.signing_key_file, tenant_id)
        return httpx.AsyncClient(base_url=f"http://{HOST}:{port}", auth=auth, timeout=60)

    async def served(self, name: str) -> tuple[int, int]:
        """How many requests the process of this release, and that of the other, has answered since it started."""
        async with httpx.AsyncClient(timeout=60) as client:
            ports = (self.ports[name], self._new[name].program.port)
            pages = [(await client.get(f"http://{HOST}:{port}/metrics")).text for port in ports]
        this, other = (_requests(page.splitlines()) for page in pages)
        return this, other


class _InternalToken(httpx.Auth):
    def __init__(self, signing_key: Path, tenant_id: str) -> None:
        self._mint = TokenMint.from_file(str(signing_key))
        self._principal = Principal("key_test", tenant_id, scopes=frozenset({"read", "write"}))

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._mint.token(self._principal)}"
        yield request


def _requests(metrics: Sequence[str]) -> int:
    lines = [line for line in metrics if line.startswith("crm_http_requests_total{") and 'route="/v1/' in line]
    return round(sum(float(line.rpartition(" ")[2]) for line in lines))
