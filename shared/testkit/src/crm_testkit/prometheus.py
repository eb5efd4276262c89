"""Prometheus itself, and promtool, out of Debian's package: what scrapes and evaluates as it is done in earnest."""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from crm_testkit.kafka_maven import locked
from crm_testkit.listener import listen

_FETCH_SECONDS = 120
_START_SECONDS = 30.0


class PrometheusUnavailable(RuntimeError):
    """It could not be had; the message says what was tried."""


def find_prometheus() -> Path:
    """The folder with the two programs: of PROMETHEUS_BIN, of the PATH, or fetched once into `.cache/prometheus` of the checkout.

    The package is unpacked, not installed, so that no server is started by it.
    """
    for found in (os.environ.get("PROMETHEUS_BIN"), shutil.which("promtool")):
        folder = Path(found) if found and Path(found).is_dir() else Path(found).parent if found else None
        if folder is not None and (folder / "prometheus").exists() and (folder / "promtool").exists():
            return folder
    cache = _cache_folder()
    programs = cache / "unpacked" / "usr" / "bin"
    with locked(cache / "lock"):
        if not (programs / "promtool").exists():
            _fetch(cache)
    return programs


def _fetch(cache: Path) -> None:
    apt, dpkg = shutil.which("apt-get"), shutil.which("dpkg-deb")
    if apt is None or dpkg is None:
        raise PrometheusUnavailable("there is neither Prometheus nor apt-get to fetch it with")
    for commands in ([[apt, "download", "prometheus"]], [[apt, "update"], [apt, "download", "prometheus"]]):
        done = [
            subprocess.run(each, cwd=cache, capture_output=True, text=True, check=False, timeout=_FETCH_SECONDS)
            for each in commands
        ]
        package = next(cache.glob("prometheus_*.deb"), None)
        if package is not None:
            subprocess.run([dpkg, "-x", str(package), str(cache / "unpacked")], check=True, timeout=_FETCH_SECONDS)
            return
    raise PrometheusUnavailable(f"apt-get could not fetch Prometheus: {done[-1].stderr.strip()[-300:]}")


def _cache_folder() -> Path:
    for parent in Path(__file__).parents:
        if (parent / "requirements.lock").exists():
            folder = parent / ".cache" / "prometheus"
            break
    else:
        folder = Path.home() / ".cache" / "relata" / "prometheus"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@dataclass(frozen=True)
class Prometheus:
    """A server that scrapes every second."""

    client: httpx.AsyncClient

    async def query(self, expression: str) -> list[tuple[Mapping[str, str], float]]:
        """Labels and value of each sample of an instant vector, or of a scalar. Raises ValueError for what it refuses."""
        answer = (await self.client.get("/api/v1/query", params={"query": expression})).json()
        if answer["status"] != "success":
            raise ValueError(f"{expression}: {answer['error']}")
        result = answer["data"]["result"]
        if answer["data"]["resultType"] == "scalar":
            return [({}, float(result[1]))]
        return [(one["metric"], float(one["value"][1])) for one in result]

    async def until(self, expression: str, seconds: float = 60) -> None:
        """Until it has a sample. Raises TimeoutError."""
        try:
            async with asyncio.timeout(seconds):
                while not await self.query(expression):
                    await asyncio.sleep(0.25)
        except TimeoutError as error:
            raise TimeoutError(expression) from error

    async def rules(self) -> list[dict[str, Any]]:
        groups = (await self.client.get("/api/v1/rules")).json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]


@asynccontextmanager
async def running_prometheus(targets: Sequence[str], rules: Path) -> AsyncIterator[Prometheus]:
    """On a free loopback port. `targets`: host and port of each process, scraped as the job relata."""
    with TemporaryDirectory() as folder, listen() as listener:
        port = listener.getsockname()[1]
        listener.close()
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(rules.absolute())],
            "scrape_configs": [{"job_name": "relata", "static_configs": [{"targets": list(targets)}]}],
        }
        file = Path(folder) / "prometheus.yaml"
        file.write_text(json.dumps(config))  # which is YAML too
        with (Path(folder) / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                find_prometheus() / "prometheus",
                f"--config.file={file}",
                f"--web.listen-address=127.0.0.1:{port}",
                f"--storage.tsdb.path={folder}/data",
                stdout=log,
                stderr=log,
            )
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                await _ready(client, process, Path(folder) / "log")
                yield Prometheus(client)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _ready(client: httpx.AsyncClient, process: asyncio.subprocess.Process, log: Path) -> None:
    async with asyncio.timeout(_START_SECONDS):
        while True:
            if process.returncode is not None:
                raise PrometheusUnavailable(f"Prometheus ended: {log.read_text()[-500:]}")
            try:
                if (await client.get("/-/ready")).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)


def check_rules(rules: Path) -> str:
    """What promtool finds wrong with alert rules; nothing where they are well."""
    return _promtool("check", "rules", "--lint=all", "--lint-fatal", str(rules))


def run_rule_tests(tests: Path) -> str:
    """What promtool's tests of alert rules find; nothing where they pass."""
    return _promtool("test", "rules", str(tests))


def _promtool(*arguments: str) -> str:
    done = subprocess.run(
        [str(find_prometheus() / "promtool"), *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr
