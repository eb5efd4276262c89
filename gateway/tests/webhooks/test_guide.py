"""What `docs/webhooks.md` shows works: its request, and each receiver for which there is something to run it with."""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from crm_kit.http.standard_webhooks import new_secret
from crm_testkit.guides import examples, tried
from crm_testkit.new_feature import ROOT
from crm_testkit.stand_in import closed_url
from crm_testkit.webhooks import Hooks, place

pytestmark = pytest.mark.long

TEXT = (ROOT / "docs/webhooks.md").read_text(encoding="utf-8")
RUN = {
    "python": ("receiver.py", ["python3", "receiver.py"]),
    "js": ("receiver.js", ["node", "receiver.js"]),
    "php": ("receiver.php", ["php", "-S", "127.0.0.1:PORT", "receiver.php"]),
    "java": ("Receiver.java", ["java", "Receiver.java"]),
    "go": ("receiver.go", ["go", "run", "receiver.go"]),
}


def receiver_in(language: str) -> str:
    [code] = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    return str(code)


async def test_its_request_is_answered_as_it_says(hooks: Hooks) -> None:
    for example in examples(TEXT):
        made = await tried(hooks.client, example)
        assert made["secret"].startswith("whsec_")


@asynccontextmanager
async def running(language: str, folder: Path, secret: str) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    name, command = RUN[language]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    (folder / name).write_text(receiver_in(language), encoding="utf-8")
    url = closed_url()
    port = str(urlsplit(url).port)
    process = await asyncio.create_subprocess_exec(
        *[part.replace("PORT", port) for part in command],
        cwd=folder,
        env={
            **os.environ,
            "WEBHOOK_SECRET": secret,
            "PORT": port,
            "GOCACHE": str(folder / "cache"),
            "GO111MODULE": "off",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(120), httpx.AsyncClient() as client:
            while True:
                try:
                    await client.post(url, content=b"{}", headers=dict.fromkeys(HEADERS, "1"))
                    break
                except httpx.TransportError:
                    assert process.returncode is None, await said(process)
                    await asyncio.sleep(0.1)
        yield url, process
    finally:
        os.killpg(process.pid, 9)
        await process.wait()


HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


async def said(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.read()).decode(errors="replace")


@pytest.mark.parametrize("language", sorted(RUN))
async def test_each_receiver_takes_what_we_send_and_nothing_else(hooks: Hooks, language: str, tmp_path: Path) -> None:
    secret = new_secret()
    async with running(language, tmp_path, secret) as (url, process):
        made = await hooks.subscribe(url=f"{url}/hook", secret=secret)
        team = await hooks.team("销售一部")
        await hooks.delivered(made, 1)
        assert process.stdout is not None
        async with asyncio.timeout(20):
            while team["id"] not in (line := (await process.stdout.readline()).decode()):
                pass
        assert "crm.gateway.team.created.v1" in line
        other = await hooks.subscribe(url=f"{url}/hook")
        await hooks.team("别的密钥")
        [waiting] = await hooks.delivered(other, 1, "waiting")
        assert waiting["error"] == "status_401"
        await hooks.client.delete(place(other))
