"""A real OpenID Connect provider on this machine: NAV's mock-oauth2-server, built on Nimbus' OAuth 2.0 SDK.

It is nobody's stand-in for our own reading of the standards: discovery, keys and tokens are as its authors read them.
"""

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from crm_kit.db.processes import end_with_parent

from crm_testkit.kafka_broker import free_ports
from crm_testkit.kafka_maven import KafkaUnavailable, find_java, resolve_classpath

POM = Path(__file__).parent / "oidc" / "pom.xml"
_MAIN = "no.nav.security.mock.oauth2.StandaloneMockOAuth2ServerKt"
_READY_WITHIN = 60.0


class ProviderUnavailable(RuntimeError):
    """It cannot be had; the message says why."""


class RealProvider:
    """Issues what `people` says of them, by client id. With each start its key is another, under the id of the last."""

    def __init__(self, folder: Path, people: Mapping[str, Mapping[str, Any]]) -> None:
        try:
            self._command = [
                find_java(),
                "-Xshare:auto",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                resolve_classpath(POM),
                _MAIN,
            ]
        except KafkaUnavailable as error:
            raise ProviderUnavailable(str(error)) from error
        [self._port] = free_ports(1)
        self._url = f"http://127.0.0.1:{self._port}"
        self.issuer = f"{self._url}/crm"
        self._log = folder / "provider.log"
        self._config = json.dumps(_configuration(people))
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0

    async def start(self) -> None:
        process = self._launch()
        deadline = time.monotonic() + _READY_WITHIN
        async with httpx.AsyncClient(base_url=self._url) as client:
            while not await _is_alive(client):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise ProviderUnavailable(f"it did not start; its log is {self._log}")
                await asyncio.sleep(0.1)
            for number in range(self._starts):  # its keys come in one order; these issuers take the ones before
                (await client.get(f"/taken-{number}/jwks")).raise_for_status()
        self._starts += 1

    def _launch(self) -> subprocess.Popen[bytes]:
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "SERVER_HOSTNAME": "127.0.0.1",
            "SERVER_PORT": str(self._port),
            "JSON_CONFIG": self._config,
        }
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=environment,
                stdout=log,
                stderr=log,
                preexec_fn=end_with_parent(signal.SIGKILL),  # noqa: PLW1509  # makes one system call only
            )
        return self._process

    async def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
            self._process = None

    async def token(self, person: str) -> str:
        """By the client credentials grant, which its configuration makes a person's."""
        form = {"grant_type": "client_credentials", "client_id": person, "client_secret": "any", "scope": "crm"}
        async with httpx.AsyncClient() as client:
            answer = await client.post(f"{self.issuer}/token", data=form)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])


async def _is_alive(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/isalive")).status_code == 200
    except httpx.TransportError:
        return False


def _configuration(people: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    mappings = [
        {"requestParam": "client_id", "match": name, "typeHeader": "at+jwt", "claims": {"sub": name, **claims}}
        for name, claims in people.items()
    ]
    return {
        "interactiveLogin": False,
        "tokenCallbacks": [{"issuerId": "crm", "tokenExpiry": 600, "requestMappings": mappings}],
    }
