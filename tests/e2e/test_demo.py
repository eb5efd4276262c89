"""`make demo`: the week goes through, whoever of its processes is killed meanwhile."""

import asyncio
import json
import os
import random
import sys
import uuid
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

_MODULES = ("gateway", "contacts_svc", "pipeline_svc", "tickets_svc", "campaigns_svc")
_MARK = "RELATA_TEST_DEMO"


async def _play(folder: Path, mark: str) -> "asyncio.subprocess.Process":
    kept = {name: value for name, value in os.environ.items() if name not in ("RUN_DIR", "PORT_BASE", "BUS")}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "crm_local", "demo", "--people", "60"),
        cwd=folder,
        env={**kept, _MARK: mark},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


def _marked(mark: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(_MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _kill_one(mark: str, module: str) -> bool:
    for process in _marked(mark):
        with suppress(psutil.Error):
            if process.cmdline()[:1] == [f"{module} serve"]:
                process.kill()
                return True
    return False


async def _until_played(demo: "asyncio.subprocess.Process", mark: str, folder: Path, begun: str) -> None:
    output, _ = await asyncio.wait_for(demo.communicate(), 240)
    text = begun + output.decode()
    assert demo.returncode == 0, text
    assert "Traceback" not in text
    assert "Warning" not in text
    told = " ".join(text.split())
    assert told.count("was ended by SIGKILL; started again") == len(_MODULES), text
    assert "ended with code" not in told, text
    assert "12 companies, 60 contacts" in told
    view = json.loads((folder / ".run-demo-view.json").read_text())
    assert view["kind"] == "contact"
    assert view["timeline"]
    assert _marked(mark) == []


@pytest.mark.timeout(300)
async def test_kill_9_of_each_process_during_the_demo_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """The demo itself compares every view with what was acknowledged and with what the services say."""
    mark, drawn = uuid.uuid4().hex, random.Random(1)
    demo = await _play(tmp_path, mark)
    try:
        modules = list(_MODULES)
        drawn.shuffle(modules)
        assert demo.stdout is not None
        async with asyncio.timeout(60):
            begun = await demo.stdout.readuntil(b"was ready")
        for module in modules:
            await asyncio.sleep(drawn.uniform(0.1, 1.2))
            async with asyncio.timeout(30):
                while not _kill_one(mark, module):
                    await asyncio.sleep(0.05)
        await _until_played(demo, mark, tmp_path, begun.decode())
    finally:
        for left in _marked(mark):
            left.kill()
